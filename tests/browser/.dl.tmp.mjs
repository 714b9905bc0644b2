import { launch, open, downloaded } from './browser.mjs';
const b = await launch(); const { page, seen } = await open(b, '/work/scratch/report/gallery.html');
page.setDefaultTimeout(5000);
await page.evaluate(()=>{ window.log=[]; for (const t of ['mousedown','mouseup','click']) document.addEventListener(t,e=>window.log.push(t+' '+e.target.outerHTML.slice(0,80)+' '+e.clientY),true); const o=URL.createObjectURL; URL.createObjectURL=function(x){window.log.push('blob '+x.size); return o.call(URL,x)} });
page.on('download', d => console.log('  dl', d.suggestedFilename()));
for (const id of ['r1-faithfulness','r1-ioi','r1-ioi','r1-seeds','r1-ioi']) for (const k of ['json','csv','svg']) {
await page.evaluate(()=>{window.log.length=0});
try { const d = await downloaded(page, () => page.locator(`#${id} button[data-do=${k}]`).click()); console.log(id,k,'ok'); } catch(e) { console.log(id,k,'FAIL', await page.evaluate(()=>window.log)); } }
await b.close();
