//! The calls of screenshot models on every device against plain memory: each call and its gradient, whole models, and a training with its checkpoint.
//!
//! The CPU is a device here too: its tensors go the way that a GPU's go. Tolerances are for single precision in whatever order a device sums; those of bfloat16 for factors with 8 bits.

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use vitrine_core::{
    lab::{LabError, MemoryLab},
    train::{mat::Mat, rng::Stream},
};
use vitrine_screenshot::{
    ScreenshotError,
    ar::{
        passage::Source,
        train::{ArTraining, passages, train, words_of_facts},
    },
    bpe::Bpe,
    model::{
        ModelConfig, Params, Place, Precision, Tower,
        ar::{Ar, ArConfig, Context, Line},
        calls::{Calls, Spans, Terms, Var, Writing},
        device::DeviceTape,
        kernels::{Attention, Gate},
        ptp::Ptp,
        tape::Tape,
    },
    render::{RenderConfig, Renderer},
    train::{
        corpus::Corpus,
        encoder::draw,
        finetune::{FinetuneConfig, Task, finetune},
        masked::pretrain_words,
        objective::{Batch, Weights},
        pretrain::{PretrainConfig, batch, pretrain, reading},
        tsv::{Goal, Row},
    },
};
use vitrine_tests::{assert_close, devices, values};

fn random(name: &str, rows: usize, cols: usize) -> Mat {
    let mut stream = Stream::new(1, name, 0);
    Mat::of(cols, (0..rows * cols).map(|_| stream.normal() as f32 * 0.7).collect())
}

fn tensors(mats: &[Mat], device: &Device) -> Vec<Tensor<2>> {
    mats.iter().map(|mat| Tensor::from_data(TensorData::new(mat.data.clone(), [mat.rows, mat.cols]), device)).collect()
}

/// What both say: the values of calls, and the gradients of the losses.
struct Said {
    values: Vec<Mat>,
    gradients: Vec<Vec<f32>>,
}

fn in_memory(mats: &[Mat], write: &impl Fn(&mut Tape<'_>) -> Vec<Var>) -> Said {
    let mut tape = Tape::new(mats);
    let vars = write(&mut tape);
    let values = vars.iter().map(|&var| tape.read(var).unwrap()).collect();
    Said { values, gradients: tape.backward() }
}

fn on_device(mats: &[Mat], device: &Device, precision: Precision, write: &impl Fn(&mut DeviceTape) -> Vec<Var>) -> Said {
    let mut tape = DeviceTape::new(&tensors(mats, device), device, precision);
    let vars = write(&mut tape);
    let read = vars.iter().map(|&var| tape.read(var).unwrap()).collect();
    Said { values: read, gradients: tape.backward().into_iter().map(values).collect() }
}

fn agree(found: &Said, wanted: &Said, tolerance: f32, what: &str) {
    for (number, (a, b)) in found.values.iter().zip(&wanted.values).enumerate() {
        assert_eq!((a.rows, a.cols), (b.rows, b.cols), "{what}: value {number}");
        assert_close(&a.data, &b.data, tolerance, &format!("{what}: value {number}"));
    }
    assert_eq!(found.gradients.len(), wanted.gradients.len());
    for (number, (a, b)) in found.gradients.iter().zip(&wanted.gradients).enumerate() {
        assert_close(a, b, tolerance, &format!("{what}: gradient {number}"));
    }
}

/// The calls as an object, so that a table can hold them.
trait Some {
    fn call(&mut self, name: &str, p: &[Var]) -> Var;
}

impl<C: Calls> Some for C {
    fn call(&mut self, name: &str, p: &[Var]) -> Var {
        let spans = |queries: [usize; 3], keys: [usize; 3], causal| {
            let cut = |[a, b, c]: [usize; 3]| vec![0..a, a..a + b, a + b..a + b + c];
            Spans { queries: cut(queries), keys: cut(keys), causal }
        };
        let attention = Attention { heads: 2, d_head: 2, q: 0, k: 4, v: 8, scale: 0.8 };
        match name {
            "linear" => self.linear(p[0], p[1], Some(p[2])),
            "linear without bias" => self.linear(p[0], p[1], None),
            "linear tied" => self.linear_tied(p[0], p[3]),
            "rows" => self.rows(p[0], (0..90).map(|i| (i * i) % 5).collect()),
            "rows in one order" => self.rows(p[0], vec![6, 2, 4, 0]),
            "under" => self.under(vec![p[0], p[3], p[0]]),
            "means" => self.means(p[0], vec![0..2, 2..3, 3..7]),
            "add" => self.add(p[0], p[4]),
            "scaled" => self.scaled(p[0], (0..84).map(|i| 0.5 + 0.1 * i as f32).collect()),
            "norm" => self.norm(p[0], p[5], p[6], 1e-5),
            "rms norm" => self.rms_norm(p[0], p[5], 1e-5),
            "gelu" => self.gelu(p[0]),
            "gated gelu" => self.gated(Gate::Gelu, p[0]),
            "gated silu" => self.gated(Gate::Silu, p[0]),
            "rotated" => self.rotated(p[0], 8, 4, &[0, 1, 3, 4, 7, 0, 1], 10.0),
            "rotated whole" => self.rotated(p[0], 12, 4, &[0, 1, 3, 4, 7, 0, 1], 10.0),
            "tanh" => self.tanh(p[0]),
            "attend" => self.attend(p[0], p[0], attention, spans([2, 4, 1], [2, 4, 1], false)),
            "attend causally" => self.attend(p[0], p[0], attention, spans([2, 4, 1], [2, 4, 1], true)),
            "attend across" => self.attend(p[0], p[4], Attention { k: 1, v: 6, ..attention }, spans([2, 4, 1], [3, 1, 3], false)),
            "attend alike" => {
                let spans = Spans { queries: vec![0..4, 4..8], keys: vec![0..4, 4..8], causal: true };
                let x = self.rows(p[0], vec![0, 1, 2, 3, 4, 5, 6, 0]);
                self.attend(x, x, attention, spans)
            }
            other => unreachable!("{other}"),
        }
    }
}

const CALLS: [&str; 21] = [
    "linear",
    "linear without bias",
    "linear tied",
    "rows",
    "rows in one order",
    "under",
    "means",
    "add",
    "scaled",
    "norm",
    "rms norm",
    "gelu",
    "gated gelu",
    "gated silu",
    "rotated",
    "rotated whole",
    "tanh",
    "attend",
    "attend causally",
    "attend across",
    "attend alike",
];

#[test]
fn every_call_and_its_gradient_is_that_of_plain_memory() {
    let shapes = [(7, 12), (12, 5), (1, 5), (9, 12), (7, 12), (1, 12), (1, 12)];
    let mats: Vec<Mat> = shapes.iter().enumerate().map(|(i, &(r, c))| random(&format!("p{i}"), r, c)).collect();
    fn write<C: Calls>(calls: &mut C, name: &str, params: usize) -> Vec<Var> {
        let p: Vec<Var> = (0..params).map(|number| calls.param(number)).collect();
        let out = calls.call(name, &p);
        let (rows, cols) = (calls.rows_of(out), calls.read(out).unwrap().cols);
        let loss = calls.squared_error(out, &random("targets", rows, cols).data, 0.3 * cols as f32);
        vec![out, loss]
    }
    for (label, device) in devices() {
        for name in CALLS {
            let wanted = in_memory(&mats, &|tape| write(tape, name, mats.len()));
            let found = on_device(&mats, &device, Precision::F32, &|tape| write(tape, name, mats.len()));
            assert!(wanted.gradients.iter().flatten().any(|&g| g != 0.0), "{name}");
            agree(&found, &wanted, 1e-5, &format!("{name} on {label}"));
        }
    }
}

#[test]
fn cross_entropy_and_what_has_no_rows() {
    let mats = [random("logits", 6, 5), random("weights", 5, 4), random("more", 3, 4)];
    fn write<C: Calls>(calls: &mut C) -> Vec<Var> {
        let (logits, weights, more) = (calls.param(0), calls.param(1), calls.param(2));
        let losses = calls.cross_entropy(logits, &[1, 0, 3, 2, 2, 4], &[0.5, 1.0, 0.0, 0.25, 1.0, 2.0]);
        // Nothing given, and all that follows from it.
        let nothing = calls.given(Mat { rows: 0, cols: 5, data: vec![] });
        let nothing = calls.linear(nothing, weights, None);
        let turned = calls.rotated(nothing, 4, 2, &[], 10.0);
        let normal = calls.gelu(turned);
        let all = calls.under(vec![more, normal]);
        let none = calls.rows(all, vec![]);
        let rows = calls.rows(all, vec![2, 0]);
        let error = calls.squared_error(rows, &[0.1; 8], 0.7);
        vec![losses, nothing, none, error]
    }
    for (label, device) in devices() {
        let wanted = in_memory(&mats, &|tape: &mut Tape<'_>| write(tape));
        agree(&on_device(&mats, &device, Precision::F32, &|tape: &mut DeviceTape| write(tape)), &wanted, 1e-5, &label);
    }
}

const TEXT: &str = "the old ship lay quiet in the harbour\nnobody on board had slept that night\na boy sold bread and apples to the crew\nthe captain wrote \
letters and sent none of them\nunder the bridge the water was dark and cold\nwe sail at seven said the captain to the boy";

fn small() -> PretrainConfig {
    PretrainConfig {
        model: ModelConfig {
            encoder: Tower::new(2, 16, 2),
            pixel: Tower::new(1, 16, 2),
            text: Tower::new(1, 16, 2),
            ..ModelConfig::default()
        },
        render: RenderConfig::mono(12),
        steps: 20,
        batch_size: 4,
        bytes: 22,
        vocab: 300,
        log_every: 5,
        checkpoint_every: 10,
        ..PretrainConfig::default()
    }
}

fn words(config: &PretrainConfig) -> (Bpe, Corpus) {
    let bpe = Bpe::learn(TEXT.lines(), config.vocab);
    let corpus = Corpus::new(&bpe, TEXT.lines());
    (bpe, corpus)
}

/// Larger numbers than a fresh model's, so that every term matters.
fn grown(mut params: Params) -> Params {
    let mut stream = Stream::new(5, "weights", 0);
    params.mats.iter_mut().flat_map(|mat| &mut mat.data).for_each(|x| *x += 0.15 * stream.normal() as f32);
    params
}

fn told<C: Calls>(calls: &C, terms: Terms) -> [f64; 2] {
    terms.map(|term| term.map_or(0.0, |term| term.of(&calls.read(term.rows).unwrap().data)))
}

/// Losses and gradients of a whole model in both places.
fn whole<W: Writing<Out = Terms>>(
    params: &Params,
    device: &Device,
    precision: Precision,
    writing: impl Fn() -> W,
) -> [([f64; 2], Vec<Vec<f32>>); 2] {
    let mut tape = Tape::new(&params.mats);
    let terms = writing().on(&mut tape);
    let wanted = (told(&tape, terms), tape.backward());
    let mut tape = DeviceTape::new(&tensors(&params.mats, device), device, precision);
    let terms = writing().on(&mut tape);
    let found = told(&tape, terms);
    [(found, tape.backward().into_iter().map(values).collect()), wanted]
}

/// Relative difference of all gradients together.
fn apart(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let wide = |x: &f32| f64::from(*x);
    let difference = square(&mut a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| wide(a) - wide(b)));
    difference / square(&mut b.iter().flatten().map(wide))
}

struct Eye<'a>(&'a Ptp, Batch);
impl Writing for Eye<'_> {
    type Out = Terms;
    fn on<C: Calls>(self, calls: &mut C) -> Terms {
        self.1.terms(self.0, calls, Weights::default()).terms
    }
}

struct Writer<'a>(&'a Ar, &'a [Line<'a>]);
impl Writing for Writer<'_> {
    type Out = Terms;
    fn on<C: Calls>(self, calls: &mut C) -> Terms {
        self.0.terms(calls, self.0.lay_out(self.1))
    }
}

/// Both precisions with what they may differ by: losses, and gradients as a whole.
fn precisions(device: &Device) -> Vec<(Precision, f64)> {
    let bf16 = device.supports_dtype(FloatDType::BF16).then_some((Precision::Bf16, 5e-2));
    [(Precision::F32, 1e-4)].into_iter().chain(bf16).collect()
}

#[test]
fn whole_models_have_the_losses_and_gradients_of_plain_memory() {
    let config = small();
    let (bpe, corpus) = words(&config);
    let renderer = Renderer::bundled(config.render.clone()).unwrap();
    let examples = batch(&bpe, &corpus, &renderer, 6, 22, &config.damage, [0, 3], "batch").unwrap();
    let ptp = Ptp::new(config.model_for(&bpe));
    let pages = ArTraining {
        model: ArConfig { tower: Tower { layers: 2, width: 16, heads: 2, mlp: 24 }, ..ArConfig::default() },
        ..ArTraining::default()
    };
    let facts = words_of_facts(pages.vocab);
    let drawn = passages(Source::Facts, &facts, &Renderer::bundled(pages.render.clone()).unwrap(), 3, 0.4, [0, 0], "passages").unwrap();
    let ar = Ar { config: pages.model_for(&facts) };
    let line = |context, passage: usize| Line::new(&ar.config, context, &drawn[passage].text);
    let lines =
        [line(drawn[0].picture(), 0), line(Context::Nothing, 1), line(Context::Text(&drawn[2].words), 2), line(drawn[2].picture(), 2)];
    for (label, device) in devices() {
        for (precision, tolerance) in precisions(&device) {
            let eye = whole(&grown(ptp.init(3)), &device, precision, || Eye(&ptp, Batch::of(&ptp, &examples, Weights::default())));
            let writer = whole(&grown(ar.init(3)), &device, precision, || Writer(&ar, &lines));
            for (what, [(found, gradients), (wanted, expected)]) in [("eye", eye), ("writer", writer)] {
                assert!(wanted.iter().all(|&loss| loss > 0.1), "{what}: {wanted:?}");
                for (found, wanted) in found.iter().zip(wanted) {
                    assert!((found - wanted).abs() < tolerance * wanted, "{what} on {label}, {precision:?}: {found} {wanted}");
                }
                let apart = apart(&gradients, &expected);
                assert!(apart < tolerance, "{what} on {label}, {precision:?}: gradients {apart} apart");
                if precision == Precision::Bf16 {
                    assert!(apart > 1e-4, "{what} on {label}: nothing was rounded");
                }
            }
        }
    }
}

/// Distance of two models, all numbers together. Not number by number: the biases of keys change nothing that a model computes, so their gradients are rounding alone, which `AdamW` makes large.
fn distance(a: &Params, b: &Params) -> f64 {
    let all = |params: &Params| params.mats.iter().flat_map(|mat| mat.data.clone()).collect::<Vec<f32>>();
    all(a).iter().zip(all(b)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}

/// Twenty steps end where those of plain memory end, within a hundredth of the way that they went.
#[test]
fn a_training_on_a_device_ends_where_plain_memory_does_and_goes_on_from_either() {
    let config = small();
    let (bpe, corpus) = words(&config);
    let mut lab = MemoryLab::new(Device::flex());
    let (wanted, history) = pretrain(&config, &bpe, &corpus, &Place::Memory, &mut lab, "read").unwrap();
    let moved = distance(&wanted, &Ptp::new(config.model_for(&bpe)).init(config.seed));
    for (label, device) in devices() {
        let place = Place::Device(device, Precision::F32);
        let mut lab = MemoryLab::new(Device::flex());
        let (found, losses) = pretrain(&config, &bpe, &corpus, &place, &mut lab, "read").unwrap();
        let apart = distance(&found, &wanted);
        assert!(apart < 0.01 * moved && moved > 0.01, "{label}: {apart} of {moved}");
        for (a, b) in losses.iter().flatten().zip(history.iter().flatten()) {
            assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "{label}: {losses:?} {history:?}");
        }
        // Stopped in plain memory, gone on with on the device; and the other way round.
        for (first, second) in [(&place, &place), (&Place::Memory, &place), (&place, &Place::Memory)] {
            let mut lab = MemoryLab::new(Device::flex());
            lab.stop_at = Some(10);
            let stopped = pretrain(&config, &bpe, &corpus, first, &mut lab, "read");
            assert!(matches!(stopped, Err(ScreenshotError::Lab(LabError::Stopped { step: 10 }))));
            lab.stop_at = None;
            let (again, losses) = pretrain(&config, &bpe, &corpus, second, &mut lab, "read").unwrap();
            let apart = distance(&again, &wanted);
            assert!(apart < 0.01 * moved, "{label}: {apart} of {moved}");
            for (a, b) in losses.iter().flatten().zip(history.iter().flatten()) {
                assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "{label}: {losses:?} {history:?}");
            }
        }
        let wild = PretrainConfig { lr: 1e30, lr_floor: 1e30, warm_up: 0.0, ..config.clone() };
        let mut lab = MemoryLab::new(Device::flex());
        assert!(matches!(pretrain(&wild, &bpe, &corpus, &place, &mut lab, "read"), Err(ScreenshotError::NotANumber { .. })));
        assert!(lab.checkpoints.is_empty(), "nothing of a failed run is kept");
    }
}

#[test]
fn words_pages_and_fine_tuning_go_the_same_way_on_a_device() {
    let config = PretrainConfig { steps: 6, log_every: 2, ..small() };
    let (bpe, corpus) = words(&config);
    let pages = ArTraining {
        model: ArConfig { tower: Tower { layers: 1, width: 16, heads: 2, mlp: 24 }, ..ArConfig::default() },
        steps: 4,
        batch_size: 3,
        log_every: 1,
        ..ArTraining::default()
    };
    let facts = words_of_facts(pages.vocab);
    let renderer = Renderer::bundled(config.render.clone()).unwrap();
    let ptp = Ptp::new(config.model_for(&bpe));
    let row = |i: usize| Row { text: ["ship", "bread"][i % 2].to_owned(), second: None, label: (i % 2) as f64 };
    let rows = draw(&renderer, &(0..40).map(row).collect::<Vec<_>>()).unwrap();
    let tuning = FinetuneConfig { steps: 60, batch_size: 16, lr: 3e-3, evaluate_every: 20, ..FinetuneConfig::default() };
    let task = Task::of(Goal::Classes(vec!["0".into(), "1".into()]));
    let at = |place: &Place| {
        let mut lab = MemoryLab::new(Device::flex());
        let words = pretrain_words(&config, &bpe, &corpus, place, &mut lab, "words").unwrap().2;
        let pages = train(&pages, Source::Facts, &facts, place, &mut lab, "pages").unwrap().1;
        let (tuned, outcome) = finetune(&tuning, &ptp, None, &task, [&rows, &rows, &rows], place, &mut lab, "tune").unwrap();
        let answers = tuned.answers(&rows.iter().map(|row| &row.input).collect::<Vec<_>>(), place).unwrap();
        assert_eq!(answers, outcome.answers);
        let examples = batch(&bpe, &corpus, &renderer, 8, 22, &config.damage, [0, 1], "kept out").unwrap();
        let read = reading(&ptp, &grown(ptp.init(0)), &examples, place).unwrap();
        let all: Vec<f64> = words
            .into_iter()
            .chain(pages)
            .flatten()
            .chain([outcome.test, outcome.last_loss, read.text, read.shuffled, read.pixel])
            .collect();
        all
    };
    let wanted = at(&Place::Memory);
    for (label, device) in devices() {
        let found = at(&Place::Device(device, Precision::F32));
        assert_eq!(found.len(), wanted.len());
        for (a, b) in found.iter().zip(&wanted) {
            assert!((a - b).abs() < 5e-3 * (1.0 + b.abs()), "{label}: {found:?} {wanted:?}");
        }
    }
}

#[test]
fn a_precision_is_refused_where_it_is_not() {
    let refused = Place::Memory.with(Precision::Bf16);
    assert!(matches!(refused, Err(ScreenshotError::BadConfig(why)) if why.contains("bf16") && why.lines().count() == 1));
    for (_, device) in devices() {
        let can = device.supports_dtype(FloatDType::BF16);
        assert_eq!(Place::Device(device, Precision::F32).with(Precision::Bf16).is_ok(), can);
    }
    assert!(matches!(Place::of(&Device::flex()), Place::Memory), "the CPU's own way is the tape in plain memory");
}
