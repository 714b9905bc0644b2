use super::*;
use vitrine_core::train::rng::Stream;

fn random(name: &str, rows: usize, cols: usize) -> Mat {
    let mut stream = Stream::new(1, name, 0);
    Mat::of(cols, (0..rows * cols).map(|_| stream.normal() as f32 * 0.7).collect())
}

type Network = for<'a> fn(&'a [Mat], &'a [f32], &mut Tape<'a>) -> f64;

/// What a transformer needs more, as one loss.
fn transformer<'a>(params: &'a [Mat], _: &'a [f32], tape: &mut Tape<'a>) -> f64 {
    let p: Vec<Var> = (0..params.len()).map(|i| tape.param(i)).collect();
    let x = tape.norm(p[0], p[1], p[2]);
    let [q, k, v] = [3, 4, 5].map(|w| tape.linear(x, p[w], None));
    let mixed = tape.heads([q, k, v], vec![0..1, 0..2, 0..3, 3..5, 1..4], 2);
    let x = tape.add(x, mixed);
    let words = tape.against(x, p[6]);
    let copies = tape.near(q, x, vec![0..2, 3..4, 0..0, 1..5, 2..5]);
    let said: [&[u32]; 5] = [&[1, 6], &[0], &[], &[2, 2, 9, 3], &[3, 0, 3]];
    tape.copy_loss(words, copies, &said, &[1, 4, 0, 2, 9]).iter().map(|&x| f64::from(x)).sum()
}

/// Every operation once, as one loss; also the losses summed in double precision.
fn network<'a>(params: &'a [Mat], links: &'a [f32], tape: &mut Tape<'a>) -> f64 {
    let p: Vec<Var> = (0..params.len()).map(|i| tape.param(i)).collect();
    let x = tape.rows(p[0], vec![0, 2, 2]);
    let gates = tape.linear(x, p[1], Some(p[2]));
    let state = tape.rows(p[3], vec![1, 0, 1]);
    let h_gates = tape.linear(state, p[4], None);
    let h = tape.gru(gates, h_gates, state);
    let h = tape.scaled(h, (0..12).map(|i| 0.5 + 0.1 * i as f32).collect());
    let context = tape.attend(h, p[5], vec![0..2, 1..5, 3..4]);
    let context = tape.tanh(context);
    let both = tape.beside(vec![h, context]);
    let q = tape.linear(both, p[6], None);
    let all = [Links { values: &links[..12], candidates: 2, kinds: 2 }, Links { values: &links[12..], candidates: 1, kinds: 2 }];
    let two = tape.rows(q, vec![0, 2]);
    let pointed = tape.point(two, p[5], vec![0..3, 1..3], all.to_vec());
    let hidden = tape.linear(pointed, p[7], None);
    let hidden = tape.relu(hidden);
    let again = tape.rows(h, vec![0, 0, 2]);
    let hidden = tape.add(hidden, again);
    let scores = tape.dots(hidden, again);
    let stacked = tape.under(vec![scores, scores]);
    let stretch = |len, target| Stretch { len, allowed: None, target };
    let allowed = [true, false];
    let mut losses = tape.loss(stacked, &[stretch(2, 1), stretch(1, 0), stretch(3, 2)]);
    losses.extend(tape.loss(q, &[stretch(8, 3), stretch(8, 0), stretch(6, 1), Stretch { len: 2, allowed: Some(&allowed), target: 0 }]));
    losses.iter().map(|&x| f64::from(x)).sum()
}

/// Compares the gradients of a network with finite differences.
fn compare(shapes: &[(usize, usize)], network: Network) {
    let mut params: Vec<Mat> = shapes.iter().enumerate().map(|(i, &(r, c))| random(&format!("p{i}"), r, c)).collect();
    let links = random("links", 1, 16).data;
    let mut tape = Tape::new(&params);
    network(&params, &links, &mut tape);
    let gradients = tape.backward();
    let step = 1e-2;
    for (p, gradient) in gradients.iter().enumerate() {
        for (i, found) in gradient.iter().enumerate() {
            let mut at = |delta: f32| {
                let before = params[p].data[i];
                params[p].data[i] = before + delta;
                let params_now = params.clone();
                params[p].data[i] = before;
                let mut tape = Tape::new(&params_now);
                network(&params_now, &links, &mut tape)
            };
            // Fourth order, so that single precision is what limits.
            let slope = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * f64::from(step));
            let found = f64::from(*found);
            assert!((slope - found).abs() < 2e-3 * (1.0 + slope.abs()), "parameter {p}, {i}: {slope} {found}");
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    compare(&[(3, 5), (5, 12), (1, 12), (2, 4), (4, 12), (5, 4), (8, 8), (4, 4)], network);
    compare(&[(5, 6), (1, 6), (1, 6), (6, 6), (6, 6), (6, 6), (10, 6)], transformer);
}

#[test]
fn a_target_that_may_not_be_chosen_teaches_nothing() {
    let params = [random("s", 1, 3)];
    let mut tape = Tape::new(&params);
    let scores = tape.param(0);
    let losses = tape.loss(scores, &[Stretch { len: 3, allowed: Some(&[true, true, false]), target: 2 }]);
    assert_eq!((losses, tape.backward()), (vec![0.0], vec![vec![0.0; 3]]));
}
