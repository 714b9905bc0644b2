use std::time::Instant;
use vitrine_core::{formats::{self, WeightSource}, model::{*, stream::*}};
use burn::tensor::{Device, Tensor, TensorData};
struct F(std::fs::File, u64);
impl formats::ByteSource for F { fn len(&self)->u64{self.1} fn read_at(&self, o:u64, b:&mut [u8])->Result<(), formats::FormatError>{ use std::os::unix::fs::FileExt; self.0.read_exact_at(b,o).unwrap(); Ok(())} }
fn rss(k:&str)->f64{ let s=std::fs::read_to_string("/proc/self/status").unwrap(); s.lines().find(|l|l.starts_with(k)).unwrap().split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()/1024. }
fn main(){
  let p=format!("{}/.cache/vitrine/models/SmolLM2-135M-Instruct.Q4_1.gguf", std::env::var("HOME").unwrap());
  let f=std::fs::File::open(&p).unwrap(); let len=f.metadata().unwrap().len();
  let t=Instant::now();
  let g=formats::gguf::Gguf::open(F(f,len)).unwrap();
  let d=formats::config::ModelDescription::from_gguf(&g).unwrap();
  let dev=Device::flex();
  let m=load::load(&d,&g,&dev).unwrap();
  println!("load {:?} rss {}", t.elapsed(), rss("VmRSS"));
  let b=m.batch(&[[504u32,3575,282,4649,314]]).unwrap();
  let l: Vec<f32>=m.logits_at(&b,&[4]).into_data().try_into_vec().unwrap();
  println!("{} {} {}", l[7042], l[260], l[4528]);
  let seqs: Vec<Vec<u32>>=(0..8).map(|i|(0..20).map(|j|((i*37+j*101+5)%40000) as u32).collect()).collect();
  let corr: Vec<Vec<u32>>=(0..8).map(|i|(0..20).map(|j|((i*31+j*107+9)%40000) as u32).collect()).collect();
  let b=m.batch(&seqs).unwrap(); let c=m.batch(&corr).unwrap();
  let rows: Vec<usize>=(0..8).map(|i|b.row(i,19)).collect();
  let graph=m.config.graph(EmbeddingNodes::Single).unwrap();
  let n=graph.n_edges();
  let base=rss("VmHWM");
  let masks: Tensor<1>=Tensor::from_data(TensorData::new(vec![0.7f32;n],[n]),&dev);
  let mut ws=Workspace::default();
  for it in 0..6 {
    let t0=Instant::now();
    let _=m.logits_at(&b,&rows).into_data(); let plain=t0.elapsed();
    let t1=Instant::now();
    let mut cap=Capture::default(); m.forward(&c,&mut cap); let r=cap.into_reference().unwrap(); let capt=t1.elapsed();
    let t2=Instant::now();
    let mut s=EdgeMasked::new(&m,&graph,masks.clone(),Some(&r),&b,&mut ws,false);
    let y=m.forward(&b,&mut s); let _=m.unembed(transformer::select_rows(y,&rows)).into_data(); s.finish(&mut ws);
    let fwd=t2.elapsed();
    let mut ws2=Workspace::default(); std::mem::swap(&mut ws,&mut ws2);
    let t3=Instant::now();
    let mut s=EdgeMasked::new(&m,&graph,masks.clone(),Some(&r),&b,&mut ws2,true);
    let y=m.forward(&b,&mut s); let f=t3.elapsed();
    let dm=s.backward(&m,&b,y*0.01, None); let dm=dm.into_data(); s.finish(&mut ws2);
    let step=t3.elapsed();
    println!("{it} plain {plain:?} capture {capt:?} masked {fwd:?} ({:.2}) fwdkeep {f:?} step {step:?} ({:.2}) hwm {:.0} above {:.0} = {:.2}x", fwd.as_secs_f64()/plain.as_secs_f64(), step.as_secs_f64()/plain.as_secs_f64(), rss("VmHWM"), rss("VmHWM")-base, (rss("VmHWM")-base)*1048576./(301.*160.*576.*4.));
    drop(dm);
  }
}
