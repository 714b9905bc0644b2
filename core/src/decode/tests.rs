//! Properties on random scorers, the shared golden file, and the stochastic beam against exact probabilities.

use super::*;
use crate::train::rng::Stream;

/// A scorer whose distribution depends on the whole prefix.
fn random(vocab: usize, seed: u64) -> FnScorer<impl Fn(&[u32]) -> Vec<f64>> {
    FnScorer::new(vocab, move |prefix: &[u32]| {
        let place = prefix.iter().fold(17_u64, |h, &t| h.wrapping_mul(1_000_003).wrapping_add(u64::from(t) + 1));
        let mut stream = Stream::new(seed, "scorer", place);
        let logits: Vec<f32> = (0..vocab).map(|_| 1.5 * stream.normal() as f32).collect();
        scorer::log_softmax(&logits).unwrap()
    })
}

fn settings(max_tokens: usize) -> Settings {
    Settings { max_tokens, eos: vec![0], trace_cuts: true, ..Settings::default() }
}

fn run(method: &dyn Method, scorer: &mut dyn Scorer, settings: &Settings, constraint: &dyn Constraint) -> Decoded {
    let found = decode(method, scorer, &[1], settings, constraint, &mut |_, _| {}).unwrap();
    for h in &found.hypotheses {
        assert_eq!(found.trace.tokens(h.node), h.tokens, "the trace tells the same");
        assert!(h.tokens.len() <= settings.max_tokens);
        assert_eq!(h.ending == Ending::Eos, h.tokens.last().is_some_and(|last| settings.eos.contains(last)));
        // Log-probabilities are those of the scorer, added from the left.
        let mut log_prob = 0.0;
        let mut next = scorer.begin(&[1]).unwrap();
        for &token in &h.tokens {
            log_prob += next[token as usize];
            next = scorer.advance(&[Step { parent: 0, token }]).unwrap().remove(0);
        }
        assert_eq!(log_prob, h.log_prob);
    }
    found
}

fn free(method: &dyn Method, seed: u64, max_tokens: usize) -> Vec<Hypothesis> {
    run(method, &mut random(5, seed), &settings(max_tokens), &Unconstrained).hypotheses
}

fn sequences(hypotheses: &[Hypothesis]) -> Vec<Vec<u32>> {
    hypotheses.iter().map(|h| h.tokens.clone()).collect()
}

/// All sequences with their log-probabilities, the likeliest first.
fn exhaustive(scorer: &mut dyn Scorer, max_tokens: usize, allowed: &dyn Fn(&[u32]) -> bool) -> Vec<(f64, Vec<u32>)> {
    let (mut open, mut all) = (vec![(0.0, vec![])], vec![]);
    while let Some((log_prob, tokens)) = open.pop() {
        let next = scorer.begin(&[&[1], &tokens[..]].concat()).unwrap();
        for (token, step) in (0..).zip(next) {
            let longer = (log_prob + step, [&tokens[..], &[token]].concat());
            match allowed(&longer.1) {
                false => {}
                true if token == 0 || longer.1.len() == max_tokens => all.push(longer),
                true => open.push(longer),
            }
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    all
}

#[test]
fn decode_a_beam_as_wide_as_all_sequences_is_exhaustive_search() {
    for seed in 0..20 {
        let exact = exhaustive(&mut random(5, seed), 3, &|_| true);
        let found = free(&Beam { width: 125, penalty: LengthPenalty::None, early_stop: EarlyStop::Never }, seed, 3);
        assert_eq!(found.iter().map(|h| (h.log_prob, h.tokens.clone())).collect::<Vec<_>>(), exact);
        // Without replacement, a beam as wide as everything is everything.
        let mut all = sequences(&free(&Stochastic { width: 125 }, seed, 3));
        all.sort();
        let mut expected: Vec<_> = exact.into_iter().map(|(_, tokens)| tokens).collect();
        expected.sort();
        assert_eq!(all, expected);
    }
}

#[test]
fn decode_width_one_is_greedy_one_group_is_beam_and_hypotheses_differ() {
    for seed in 0..40 {
        assert_eq!(sequences(&free(&Beam::new(1), seed, 6)), sequences(&free(&Greedy, seed, 6)));
        assert_eq!(sequences(&free(&Sample::filtered(Filter::TopK(1)), seed, 6)), sequences(&free(&Greedy, seed, 6)));
        for width in [2, 4] {
            let whole = Beam { early_stop: EarlyStop::Never, ..Beam::new(width) };
            let beam = free(&whole, seed, 6);
            assert_eq!(sequences(&free(&Diverse { groups: 1, width, strength: 0.7 }, seed, 6)), sequences(&beam));
            assert_eq!(sequences(&free(&Beam::new(width), seed, 6)), sequences(&beam), "stopping when certain changes nothing");
            assert!(beam.windows(2).all(|pair| pair[0].score >= pair[1].score), "best first");
            for penalty in [LengthPenalty::Power(0.6), LengthPenalty::Power(-1.0), LengthPenalty::Wu(1.3)] {
                let stopped = Beam { penalty, ..Beam::new(width) };
                let found = free(&stopped, seed, 6);
                assert_eq!(sequences(&found), sequences(&free(&Beam { penalty, ..whole }, seed, 6)), "{penalty:?}");
                assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score), "best first");
            }
            for found in [beam, free(&Stochastic { width }, seed, 6)] {
                let mut all = sequences(&found);
                all.sort();
                all.dedup();
                assert_eq!(all.len(), found.len(), "no hypothesis twice");
            }
        }
    }
}

#[test]
fn decode_sampling_depends_on_the_seed_alone_and_loose_filters_change_nothing() {
    let plain = Sample { samples: 6, ..Sample::plain() };
    let mut several = 0;
    for seed in 0..20 {
        let found = sequences(&free(&plain, seed, 5));
        assert_eq!(found, sequences(&free(&plain, seed, 5)));
        several += usize::from(found.iter().any(|s| *s != found[0]));
        for filter in [Filter::TopP(1.0), Filter::TopK(5), Filter::Typical(1.0), Filter::MinP(1e-9), Filter::Epsilon(1e-9)] {
            assert_eq!(sequences(&free(&Sample { filters: vec![filter], ..plain.clone() }, seed, 5)), found, "{filter:?}");
        }
        let other = Settings { seed: 1, ..settings(5) };
        several += usize::from(sequences(&run(&plain, &mut random(5, seed), &other, &Unconstrained).hypotheses) != found);
    }
    assert!(several > 35, "{several}");
}

#[test]
fn decode_samples_follow_the_tempered_distribution() {
    let chain = Markov::new(vec![vec![0.5_f64.ln(), 0.3_f64.ln(), 0.2_f64.ln()]; 3]);
    let settings = Settings { max_tokens: 1, ..Settings::default() };
    for (temperature, filters, expected) in [
        (1.0, vec![], [0.5, 0.3, 0.2]),
        (0.5, vec![], [0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38]),
        (1.0, vec![Filter::TopK(2)], [0.625, 0.375, 0.0]),
        (1.0, vec![Filter::TopP(0.4)], [1.0, 0.0, 0.0]),
    ] {
        let mut counts = [0; 3];
        let method = Sample { samples: 4000, temperature, filters };
        for seed in 0..5 {
            let settings = Settings { seed, ..settings.clone() };
            for h in run(&method, &mut chain.clone(), &settings, &Unconstrained).hypotheses {
                counts[h.tokens[0] as usize] += 1;
            }
        }
        // Four standard deviations of 20,000 draws.
        for (count, expected) in counts.iter().zip(expected) {
            assert!((f64::from(*count) / 20_000.0 - expected).abs() < 0.0142, "{counts:?} {expected}");
        }
    }
}

#[test]
fn decode_constraints_hold_and_lose_nothing() {
    for seed in 0..10 {
        let full = Beam { early_stop: EarlyStop::Never, ..Beam::new(400) };
        let check = |constraint: &dyn Constraint, allowed: &dyn Fn(&[u32]) -> bool| {
            let exact = exhaustive(&mut random(5, seed), 4, allowed);
            let exact: Vec<Vec<u32>> = exact.into_iter().map(|(_, tokens)| tokens).collect();
            assert_eq!(sequences(&run(&full, &mut random(5, seed), &settings(4), constraint).hypotheses), exact);
            for method in [&Beam::new(3) as &dyn Method, &Stochastic { width: 3 }, &Sample { samples: 9, ..Sample::plain() }, &Greedy] {
                for tokens in sequences(&run(method, &mut random(5, seed), &settings(4), constraint).hypotheses) {
                    assert!(exact.contains(&tokens), "{tokens:?}");
                }
            }
        };
        let banned = Banned::new(vec![vec![3], vec![2, 4], vec![1, 1, 1], vec![]]);
        let has = |s: &[u32], phrase: &[u32]| s.windows(phrase.len()).any(|w| w == phrase);
        check(&banned, &|s| !has(s, &[3]) && !has(s, &[2, 4]) && !has(s, &[1, 1, 1]));
        check(&Forced::new(vec![4, 2]), &|s| s.iter().zip(&[4, 2]).all(|(a, b)| a == b));
        let both = All(vec![Box::new(Forced::new(vec![4])), Box::new(Banned::new(vec![vec![1]]))]);
        check(&both, &|s| s[0] == 4 && !s.contains(&1));
    }
}

#[test]
fn decode_one_of_gives_the_likeliest_of_the_list_and_ends_where_nothing_follows() {
    let list = [vec![2, 3, 4], vec![2, 3], vec![4, 4], vec![1]];
    for seed in 0..10 {
        let found = run(&Beam::new(16), &mut random(5, seed), &settings(5), &OneOf::new(&list)).hypotheses;
        let mut texts: Vec<Vec<u32>> = found.iter().map(|h| h.tokens[..h.tokens.len() - 1].to_vec()).collect();
        texts.sort();
        assert_eq!(texts, [vec![1], vec![2, 3], vec![2, 3, 4], vec![4, 4]]);
        let mut scorer = random(5, seed);
        let without_eos = Settings { eos: vec![], ..settings(5) };
        let found = decode(&Greedy, &mut scorer, &[1], &without_eos, &OneOf::new(&list), &mut |_, _| {}).unwrap();
        assert_eq!(found.hypotheses[0].ending, Ending::Complete);
    }
    let nothing = OneOf::new::<Vec<u32>>(&[]);
    let mut scorer = random(5, 0);
    let refused = decode(&Greedy, &mut scorer, &[1], &settings(5), &nothing, &mut |_, _| {});
    assert_eq!(refused, Err(DecodeError::NothingAllowed));
}

#[test]
fn decode_lexical_search_meets_its_phrases_and_a_wide_one_finds_the_likeliest() {
    for seed in 0..20 {
        let lexical = |width, phrases: &[Vec<u32>]| Lexical {
            width,
            phrases: phrases.to_vec(),
            penalty: LengthPenalty::None,
            early_stop: EarlyStop::Certain,
        };
        assert_eq!(sequences(&free(&lexical(3, &[]), seed, 5)), sequences(&free(&Beam::new(3), seed, 5)), "without phrases it is beam");
        for phrases in [vec![vec![4]], vec![vec![2, 3], vec![1]], vec![vec![3, 3, 4]]] {
            let contains = |s: &[u32]| phrases.iter().all(|phrase| s.windows(phrase.len()).any(|w| w == &phrase[..]));
            let narrow = sequences(&free(&lexical(4, &phrases), seed, 5));
            assert!(narrow.iter().all(|s| contains(s)), "{narrow:?}");
            let best = exhaustive(&mut random(5, seed), 5, &|_| true).into_iter().find(|(_, s)| contains(s)).unwrap().1;
            assert_eq!(sequences(&free(&lexical(4000, &phrases), seed, 5))[0], best);
        }
    }
}

/// Exact probabilities that a sample of `k` without replacement holds each item.
fn inclusion(weights: &[f64], k: usize) -> Vec<f64> {
    fn draw(weights: &[f64], taken: &mut Vec<usize>, k: usize, probability: f64, out: &mut [f64]) {
        if taken.len() == k {
            for &i in taken.iter() {
                out[i] += probability;
            }
            return;
        }
        let left: f64 = (0..weights.len()).filter(|i| !taken.contains(i)).map(|i| weights[i]).sum();
        for i in 0..weights.len() {
            if !taken.contains(&i) {
                taken.push(i);
                draw(weights, taken, k, probability * weights[i] / left, out);
                taken.pop();
            }
        }
    }
    let mut out = vec![0.0; weights.len()];
    draw(weights, &mut vec![], k, 1.0, &mut out);
    out
}

#[test]
fn decode_stochastic_beams_include_each_sequence_as_often_as_sampling_without_replacement() {
    for (seed, constraint) in [(0, None), (1, None), (2, Some(Banned::new(vec![vec![2]])))] {
        let allowed = |s: &[u32]| constraint.is_none() || !s.contains(&2);
        let exact = exhaustive(&mut random(3, seed), 3, &allowed);
        let mass: f64 = exact.iter().map(|(log_prob, _)| log_prob.exp()).sum();
        // Under a mask each step is normalised over what is allowed.
        let weights: Vec<f64> = exact
            .iter()
            .map(|(_, tokens)| {
                let mut scorer = random(3, seed);
                let mut weight = 1.0;
                for at in 0..tokens.len() {
                    let next = scorer.begin(&[&[1], &tokens[..at]].concat()).unwrap();
                    let open = |t: u32| constraint.is_none() || t != 2;
                    let all: f64 = (0..3).filter(|&t| open(t)).map(|t| next[t as usize].exp()).sum();
                    weight *= next[tokens[at] as usize].exp() / all;
                }
                weight
            })
            .collect();
        assert!(constraint.is_some() || (mass - 1.0).abs() < 1e-9);
        let expected = inclusion(&weights, 3);
        let mut counts = vec![0; exact.len()];
        let runs = 20_000;
        let free: &dyn Constraint = &Unconstrained;
        let constraint = constraint.as_ref().map_or(free, |banned| banned);
        for run in 0..runs {
            let settings = Settings { max_tokens: 3, eos: vec![0], seed: run, ..Settings::default() };
            let found = decode(&Stochastic { width: 3 }, &mut random(3, seed), &[1], &settings, constraint, &mut |_, _| {}).unwrap();
            let mut places: Vec<usize> =
                found.hypotheses.iter().map(|h| exact.iter().position(|(_, tokens)| *tokens == h.tokens).unwrap()).collect();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), 3, "no duplicates");
            for place in places {
                counts[place] += 1;
            }
        }
        for (count, expected) in counts.iter().zip(&expected) {
            let found = f64::from(*count) / runs as f64;
            assert!((found - expected).abs() < 0.015, "{found} {expected}");
        }
    }
}

#[test]
fn decode_settings_out_of_range_are_refused() {
    let mut scorer = random(5, 0);
    let mut refused = |method: &dyn Method, settings: &Settings| {
        decode(method, &mut scorer, &[1], settings, &Unconstrained, &mut |_, _| {}).unwrap_err().to_string()
    };
    let usual = settings(3);
    assert!(refused(&Beam::new(0), &usual).contains("width"));
    assert!(refused(&Beam::new(5000), &usual).contains("4096"));
    assert!(refused(&Beam { penalty: LengthPenalty::Wu(f64::NAN), ..Beam::new(2) }, &usual).contains("penalty"));
    assert!(refused(&Diverse { groups: 0, width: 1, strength: 0.0 }, &usual).contains("groups"));
    assert!(refused(&Diverse { groups: usize::MAX, width: 2, strength: 0.0 }, &usual).contains("groups"));
    assert!(refused(&Diverse { groups: 2, width: 2, strength: -1.0 }, &usual).contains("strength"));
    assert!(refused(&Sample { temperature: 0.0, ..Sample::plain() }, &usual).contains("temperature"));
    assert!(refused(&Sample { samples: 0, ..Sample::plain() }, &usual).contains("samples"));
    for filter in [Filter::TopK(0), Filter::TopP(0.0), Filter::TopP(1.5), Filter::MinP(f64::NAN), Filter::Typical(-1.0), Filter::Eta(2.0)] {
        assert!(refused(&Sample::filtered(filter), &usual).contains(", but has to be"), "{filter:?}");
    }
    assert!(refused(&Greedy, &Settings { max_tokens: 0, ..usual.clone() }).contains("max_tokens"));
    assert!(refused(&Greedy, &Settings { eos: vec![9], ..usual.clone() }).contains("token 9"));
    let lexical = Lexical { width: 2, phrases: vec![vec![1; 9]], penalty: LengthPenalty::None, early_stop: EarlyStop::Never };
    assert!(refused(&lexical, &usual).contains("phrases"));
}

#[test]
fn decode_top_tokens_are_the_best_with_ties_to_the_lower_id() {
    let mut stream = Stream::new(1, "top", 0);
    for vocab in [1, 7, 60] {
        for n in [0, 1, 5, 16, 17, 40, 100] {
            let scores: Vec<f64> = (0..vocab).map(|_| [f64::NEG_INFINITY, -1.0, -2.0, -3.5][stream.below(4)]).collect();
            let mut expected: Vec<u32> = (0..vocab as u32).filter(|&t| scores[t as usize] > f64::NEG_INFINITY).collect();
            expected.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b)));
            expected.truncate(n);
            assert_eq!(search::top(&scores, n), expected);
        }
    }
}

#[test]
fn decode_trees_show_scores_and_reasons() {
    let chain = vec![vec![0.5_f64.ln(), 0.3_f64.ln(), 0.2_f64.ln()]; 3];
    let settings = Settings { max_tokens: 2, ..settings(2) };
    let found = run(&Beam { early_stop: EarlyStop::Never, ..Beam::new(2) }, &mut Markov::new(chain), &settings, &Unconstrained);
    let expected = "\
prompt  0.0000  3 tokens may follow
  \"t0\"  -0.6931  ended
  \"t1\"  -1.2040  3 tokens may follow
    \"t0\"  -1.8971  ended
    \"t1\"  -2.4079  ended: length
";
    assert_eq!(found.trace.tree(&|token| format!("t{token}")), expected);
    assert_eq!((found.forwards, found.scored), (2, 2));
}

#[test]
fn decode_transformer_beams_equal_those_without_a_cache() {
    use crate::model::{Transformer, testing::families};
    for config in families() {
        let mut model = Transformer::init(config, 7, &crate::tensor::Device::flex());
        model.tok_embed = model.tok_embed * 20.0;
        let mut cached = TransformerScorer::new(&model);
        for prompt in [vec![3, 1, 4], vec![3, 1, 5, 9], vec![3, 1, 5, 9], vec![2]] {
            for method in [&Beam::new(4) as &dyn Method, &Stochastic { width: 4 }, &Diverse { groups: 2, width: 2, strength: 0.5 }] {
                let settings = settings(6);
                let found = decode(method, &mut cached, &prompt, &settings, &Unconstrained, &mut |_, _| {}).unwrap();
                let again = decode(method, &mut Rerun::new(&model), &prompt, &settings, &Unconstrained, &mut |_, _| {}).unwrap();
                assert_eq!(sequences(&found.hypotheses), sequences(&again.hypotheses));
                for (a, b) in found.hypotheses.iter().zip(&again.hypotheses) {
                    assert!((a.log_prob - b.log_prob).abs() < 1e-4, "{} {}", a.log_prob, b.log_prob);
                }
            }
        }
        let full = decode(&Greedy, &mut cached, &[1; 12], &settings(6), &Unconstrained, &mut |_, _| {});
        assert_eq!(full, Err(DecodeError::NoRoom { prompt: 12, context: 12 }));
        let empty = decode(&Greedy, &mut cached, &[], &settings(6), &Unconstrained, &mut |_, _| {});
        assert_eq!(empty, Err(DecodeError::Scorer(ScorerError::EmptyPrompt)));
    }
}

#[test]
fn decode_golden_file_agrees() {
    let Some(root) = std::env::var_os("VITRINE_DATA") else {
        eprintln!("skipped: VITRINE_DATA not set");
        return;
    };
    let file = std::path::Path::new(&root).join("ambiqt/golden_decoders.json");
    let found = golden::decoders(&std::fs::read_to_string(file).unwrap()).unwrap();
    for agreement in &found {
        assert!(agreement.passed(), "{agreement}");
    }
}

#[test]
fn what_the_trace_remembers_changes_nothing() {
    for seed in 0..20 {
        for method in [
            &Beam::new(3) as &dyn Method,
            &Stochastic { width: 4 },
            &Diverse { groups: 2, width: 2, strength: 0.5 },
            &Sample { samples: 4, ..Sample::plain() },
        ] {
            let with = |trace_cuts| {
                let settings = Settings { seed, trace_cuts, ..settings(5) };
                let found = run(method, &mut random(6, seed), &settings, &Unconstrained);
                found.hypotheses.into_iter().map(|h| (h.tokens, h.score.to_bits())).collect::<Vec<_>>()
            };
            assert_eq!(with(true), with(false));
        }
    }
}
