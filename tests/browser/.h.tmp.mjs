import { launch, open } from './browser.mjs';
const b = await launch();
{ const { page } = await open(b, '/work/scratch/report/hostile.html', {context:{viewport:{width:1200,height:1100}}});
for (const [i,sel] of ['header','#r1-faithfulness','#r1-accuracy','#r1-ioi','.provenance'].entries()) { await page.locator(sel).first().scrollIntoViewIfNeeded(); await page.evaluate(s=>document.querySelector(s).scrollIntoView(), sel); await page.screenshot({path:`/work/scratch/report/shots/h${i}.png`}); } }
{ const { page } = await open(b, '/work/scratch/report/gallery.html', {context:{viewport:{width:1300,height:1100}}});
await page.evaluate(()=>document.querySelector('#r1-ioi').scrollIntoView()); await page.locator('#r1-ioi .node[data-n="204"]').hover(); await page.waitForTimeout(300); await page.screenshot({path:'/work/scratch/report/shots/hover.png'});
await page.evaluate(()=>{document.querySelector('.provenance').scrollIntoView(); document.querySelectorAll('.provenance details').forEach(d=>d.open=true)}); await page.getByRole('button',{name:'Check hashes'}).click(); await page.evaluate(()=>document.querySelector('.provenance').scrollIntoView()); await page.screenshot({path:'/work/scratch/report/shots/prov.png'}); await page.evaluate(()=>scrollTo(0,1e6)); await page.waitForTimeout(200); await page.screenshot({path:'/work/scratch/report/shots/end.png'}); }
await b.close();
