use super::{
    super::{
        model::{
            evaluate::texts,
            pools::Shares,
            train::{TrainConfig, TrainError},
        },
        stages::Stage,
        synthetic::{SyntheticConfig, synthetic},
    },
    examples::{Data, encode, vocabulary},
    train::{TrainState, loss, train},
    *,
};
use vitrine_core::{
    decode::{Greedy, ScorerError, Step},
    lab::{LabError, MemoryLab},
    tensor::Device,
};

/// Some made questions, the training data they are, and an untrained model.
fn made(questions: usize) -> (super::super::synthetic::Synthetic, Data, TrainState, TrainConfig) {
    let mut made = synthetic(&SyntheticConfig { schemas: 6, held_out: 0, questions_a_schema: 10, seed: 0 });
    made.train.truncate(questions);
    let words = vocabulary(&made.train, &made.schemas).unwrap();
    let data = encode(&made.train, &made.schemas, &words).unwrap();
    assert_eq!((data.left_out, data.examples.len()), (0, questions));
    let config = TrainConfig {
        steps: 24,
        batch_size: 8,
        lr: 2e-3,
        warm_up: 4,
        dropout: 0.1,
        checkpoint_every: 6,
        readings: Shares::NONE,
        ..TrainConfig::default()
    };
    let state = TrainState::new(&config, words, vec!["seen".into()]);
    (made, data, state, config)
}

#[test]
fn train_goes_on_where_it_was_stopped() {
    let (_, data, fresh, config) = made(40);
    let before = loss(&fresh.weights, &data);
    let mut straight = fresh.clone();
    train(&config, &data, &mut straight, "train", &mut MemoryLab::new(Device::flex())).unwrap();
    let after = loss(&straight.weights, &data);
    assert!(after < 0.7 * before, "{before} {after}");
    let mut lab = MemoryLab::new(Device::flex());
    lab.stop_at = Some(9);
    let mut stopped = fresh.clone();
    assert!(matches!(train(&config, &data, &mut stopped, "train", &mut lab), Err(TrainError::Lab(LabError::Stopped { step: 9 }))));
    lab.stop_at = None;
    let mut resumed = fresh.clone();
    train(&config, &data, &mut resumed, "train", &mut lab).unwrap();
    assert_eq!(resumed, straight, "the same bits");
}

#[test]
fn train_learns_a_few_questions_by_heart_in_every_stage() {
    let (made, data, mut state, config) = made(6);
    let config = TrainConfig { steps: 320, lr: 3e-3, dropout: 0.0, ..config };
    train(&config, &data, &mut state, "train", &mut MemoryLab::new(Device::flex())).unwrap();
    let found = loss(&state.weights, &data);
    assert!(found < 0.1, "{found}");
    let model = Seq2Seq::new(state.weights);
    let mut right = 0;
    for pair in &made.train {
        let schema = made.schemas.iter().find(|schema| schema.name == pair.database).unwrap();
        let reading = model.read(&pair.question, schema).unwrap();
        let query = texts(&*reading, Stage::Query, &Greedy, 1).unwrap();
        right += usize::from(query == [pair.query.clone()]);
    }
    assert!(right >= 5, "{right} of 6");
}

#[test]
fn rows_that_keep_their_past_are_rows_from_the_beginning() {
    let (made, _, state, _) = made(12);
    let model = Seq2Seq::new(state.weights);
    let reading = model.read(&made.train[0].question, &made.schemas[0]).unwrap();
    for stage in [Stage::Template, Stage::Query, Stage::PlannedQuery, Stage::Fill("select column from table")] {
        let (mut scorer, prompt) = reading.scorer(stage).unwrap();
        let mut texts: Vec<Vec<u32>> = vec![prompt.clone()];
        let mut scores = vec![scorer.begin(&prompt).unwrap()];
        for step in 0..4 {
            for (text, scores) in texts.iter().zip(&scores) {
                let total: f64 = scores.iter().map(|p| p.exp()).sum();
                assert!((total - 1.0).abs() < 1e-9 && scores[subwords::UNKNOWN as usize] == f64::NEG_INFINITY, "{total}");
                let (mut alone, _) = reading.scorer(stage).unwrap();
                for (a, b) in scores.iter().zip(alone.begin(text).unwrap()) {
                    assert!(*a == b || (a - b).abs() < 1e-4, "{a} {b}");
                }
            }
            // The first row forks, the others go on; the order turns round.
            let mut steps: Vec<Step> = (0..texts.len()).rev().map(|parent| Step { parent, token: 40 + step }).collect();
            steps.push(Step { parent: 0, token: 60 + step });
            scores = scorer.advance(&steps).unwrap();
            texts = steps.iter().map(|step| [&texts[step.parent][..], &[step.token]].concat()).collect();
        }
        assert_eq!(scorer.advance(&[Step { parent: 9, token: 2 }]), Err(ScorerError::Parent { row: 9, rows: 5 }));
        assert_eq!(scorer.begin(&[]), Err(ScorerError::EmptyPrompt));
    }
}

#[test]
fn files_give_the_model_back_and_damaged_ones_are_refused() {
    let (_, _, state, _) = made(12);
    let saved = file::save(&state.weights).unwrap();
    assert_eq!(file::load(&saved.config, &saved.weights).unwrap(), state.weights);
    assert!(file::is_config(&saved.config) && !super::super::model::file::is_config(&saved.config));
    for (from, to) in [
        ("seq2seq/1", "seq2seq/9"),
        ("\"width\": 128", "\"width\": 127"),
        ("\"width\": 128", "\"width\": 64"),
        ("\"heads\": 4", "\"heads\": 0"),
        ("\"readers\": 2", "\"readers\": 4000000000"),
        ("\"net\"", "\"nit\""),
    ] {
        let config = saved.config.replacen(from, to, 1);
        assert_ne!(config, saved.config, "{from}");
        assert!(file::load(&config, &saved.weights).is_err(), "{from}");
    }
    assert!(file::load(&saved.config, &saved.weights[..saved.weights.len() / 2]).is_err());
    let other = TrainState {
        weights: Weights { config: NetConfig { inner: 8, ..state.weights.config }, ..state.weights.clone() },
        ..state.clone()
    };
    let shapes = net::shapes(&state.weights.config);
    let checkpoint = super::super::model::file::between(&shapes, 3, &state.weights.params, &state.moments).unwrap();
    assert_eq!(file::resume(&checkpoint, &state).unwrap().step, 3);
    assert!(file::resume(&checkpoint, &other).is_err());
}

#[test]
fn what_cannot_be_read_is_said_and_large_input_is_cut() {
    let (made, _, state, _) = made(12);
    let model = Seq2Seq::new(state.weights);
    let error = |question: &str, schema: &Schema| model.read(question, schema).err().map(|e| e.to_string());
    assert_eq!(error(" ", &made.schemas[0]).as_deref(), Some("the question is empty"));
    assert_eq!(error("x", &Schema::default()).as_deref(), Some("the schema has no tables"));
    let columns: Vec<String> = (0..500).map(|i| format!("column_{i} int")).collect();
    let wide = super::super::sql::ddl::read(&format!("CREATE TABLE t ({})", columns.join(", ")), "w").unwrap();
    let reading = model.read(&"né word ".repeat(10_000), &wide).unwrap();
    let (mut scorer, prompt) = reading.scorer(Stage::Fill("select column from table")).unwrap();
    assert!(scorer.begin(&prompt).unwrap().iter().any(|p| p.is_finite()));
}
