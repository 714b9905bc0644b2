use burn::tensor::Device;
use vitrine_core::{formats, lab::MemoryLab, model::stream::Ablation, study::edge_pruning::{programs::Program, prune::*, tasks::{encode::NumericScoring, tracr::EdgeTruth}}};
fn main(){
  let a: Vec<String>=std::env::args().collect();
  let get=|k:&str,d:f64|->f64{ a.iter().find_map(|x|x.strip_prefix(&format!("{k}=")).map(|v|v.parse().unwrap())).unwrap_or(d) };
  let seeds=get("seeds",2.) as u64;
  let inter=get("inter",0.)>0.;
  let verbose=get("v",0.)>0.;
  let only=a.iter().find_map(|x|x.strip_prefix("only="));
  let mut dirs: Vec<std::path::PathBuf>=vec![];
  for r in ["/work/shared/data/tracr","/work/scratch/tracr-extra"] { for e in std::fs::read_dir(r).unwrap() { let p=e.unwrap().path(); if p.join("edges.json").exists() { dirs.push(p);} } }
  dirs.sort();
  let mut good=0; let mut all=0;
  for d in dirs {
    let name=d.file_name().unwrap().to_string_lossy().to_string();
    if let Some(o)=only { if !o.split(',').any(|x|x==name) {continue;} }
    let bytes=std::fs::read(d.join("model.safetensors")).unwrap();
    let st=formats::safetensors::SafeTensors::open(&bytes[..]).unwrap();
    let p=Program::load(&std::fs::read_to_string(d.join("config.json")).unwrap(), &st, &Device::flex()).unwrap();
    let abl=if inter {Ablation::Interchange} else {Ablation::Zero};
    let num=if get("aslogits",0.)>0. {NumericScoring::AsLogits} else {NumericScoring::SquaredError};
    let mut problem=p.problem(abl,num,0).unwrap(); if get("sq",0.)>0. { problem.scoring=vitrine_core::study::edge_pruning::tasks::Scoring::TracrNumeric(num); }
    let truth=EdgeTruth::from_json(&std::fs::read_to_string(d.join("edges.json")).unwrap(), &problem.graph).unwrap();
    let t=truth.mask(if inter {"minimal_interchange"} else {"minimal_zero"}, &problem.graph).unwrap();
    for seed in 0..seeds {
      let steps=get("steps",1500.) as u64;
      let cfg=PruneConfig{ seed, steps, batch_size: get("batch",16.) as usize, edge_target: get("target",1.02), node_target: None, sparsity_warm_up: (get("swarm",0.95)*steps as f64) as u64, lr_warm_up: (get("lwarm",0.1)*steps as f64) as u64, lr_log_alpha: get("lr",0.05), lr_lambda: get("lrl",0.005), init_mean: get("init",10.), loss_scale: get("scale",1.), fix_linear_multiplier: get("fix",0.)>0., cache_references: true, max_grad_norm: get("clip",1.), ..Default::default() };
      let t0=std::time::Instant::now();
      let mut state=PruneState::new(&problem.graph,&cfg);
      let mut lab=MemoryLab::new(Device::flex());
      let _=&mut lab; let mut h=vec![]; let mut tr=Trainer::new(&problem,&cfg).unwrap(); let mut best: Option<(usize,Vec<bool>,u64)>=None;
      while state.step<cfg.steps { let r=tr.step(&mut state).unwrap(); if state.step%10==0 { h.push(r);} 
        if state.step%(steps/40).max(1)==0 || state.step==cfg.steps { 
          let ok=|k:usize|{ let m=vitrine_core::train::hard_concrete::keep_largest(&state.edges.log_alpha,k); p.accuracy(&problem,&m.iter().map(|&x|if x {1.0} else {0.}).collect::<Vec<f32>>()).unwrap()==1.0 };
          let cap=best.as_ref().map_or(t.len(),|b|b.0-1.min(b.0));
          if ok(cap) { let (mut lo,mut hi)=(0usize,cap); while lo<hi { let mid=(lo+hi)/2; if ok(mid) {hi=mid} else {lo=mid+1} } best=Some((hi, vitrine_core::train::hard_concrete::keep_largest(&state.edges.log_alpha,hi), state.step)); }
        } }
      if verbose { for r in h.iter().step_by((h.len()/25).max(1)) { println!("  {} loss {:.5} s {:.3} t {:.3} l1 {:.4} l2 {:.4} gn {:.4}", r.step,r.loss,r.edge_sparsity,r.edge_target,r.lambda1,r.lambda2,r.gradient_norm);} 
        let mut o: Vec<usize>=(0..t.len()).collect(); o.sort_by(|&a,&b|state.edges.log_alpha[b].total_cmp(&state.edges.log_alpha[a]));
        for e in o.iter().take(25){ let (w,r)=problem.graph.edge(*e); println!("   {w}->{r} {:.2} {}", state.edges.log_alpha[*e], t[*e]); } }
      let (mut kept,_)=state.discretise(); if get("sel",1.)>0. { if let Some(b)=&best { kept=b.1.clone(); print!("@{} ",b.2);} }
      let tp=kept.iter().zip(&t).filter(|(a,b)|**a&&**b).count() as f64; let k=kept.iter().filter(|x|**x).count(); let n=t.iter().filter(|x|**x).count();
      let f1=2.*tp/((k+n) as f64).max(1e-9);
      // ranking quality: does top-n equal truth
      let mut lo=f32::INFINITY; let mut hi=f32::NEG_INFINITY; for (e,&b) in t.iter().enumerate(){ let v=state.edges.log_alpha[e]; if b {lo=lo.min(v)} else {hi=hi.max(v)} }
      let acc=p.accuracy(&problem,&kept.iter().map(|&x|if x {1.0} else {0.}).collect::<Vec<f32>>()).unwrap();
      println!("{name:20} seed {seed} kept {k} truth {n} f1 {f1:.3} acc {acc:.3} ranked {} (lo {lo:.2} hi {hi:.2}) {:.1}s", lo>hi, t0.elapsed().as_secs_f64());
      all+=1; if f1>0.999 {good+=1}
    }
  }
  println!("exact {good}/{all}");
}
