use std::collections::BTreeSet;

use super::{
    super::{
        sql::{
            ambiguate::{Change, Kind, Synonyms, ambiguate},
            ddl,
            plan::Plan,
            template::{SchemaWords, templatise},
        },
        stages::Stage,
        synthetic::{SyntheticConfig, synthetic},
    },
    boundary::{Complete, FILL, Target},
    encode::Letters,
    evaluate::{changed, texts},
    examples::{encode, vocabulary},
    net::{NetConfig, init},
    scorer::ModelReading,
    train::{TrainConfig, TrainError, TrainState, losses, train},
    words::{BEGIN_PLANNED, BEGIN_QUERY, BEGIN_TEMPLATE, lex},
    *,
};
use vitrine_core::{
    decode::{Beam, Sample, ScorerError, Step},
    lab::{LabError, MemoryLab},
    tensor::Device,
    train::rng::Stream,
};

const WIDTH: usize = 12;
const QUERIES: [&str; 4] = [
    "select name, count(*) from singer where age > 3 and name = 'x'",
    "select t1.name from singer as t1 join song as t2 on t1.id = t2.singer_id",
    "select name from song where singer_id in (select id from singer) order by name_of desc limit 1",
    "select max(age) from singer group by id",
];

/// `name` begins another name and stands in both tables; one name is no plain word, one has a letter that no other has.
fn schema() -> Schema {
    let ddl = "CREATE TABLE singer (id int PRIMARY KEY, name text, age int, `how much` int);
        CREATE TABLE song (singer_id int REFERENCES singer(id), name text, name_of text, née int)";
    ddl::read(ddl, "d").unwrap()
}

fn untrained() -> SqlModel {
    let words = SchemaWords::new(&schema());
    let said = QUERIES.iter().flat_map(|sql| {
        let (template, filled) = words::words_of(sql, &words).unwrap();
        template.into_iter().chain(filled.into_iter().map(|one| one.word))
    });
    let vocabulary = Vocabulary::new(said).unwrap();
    let config = NetConfig { features: WIDTH, words: vocabulary.len(), width: 10, embedding: 6, ahead: 4, heads: 2, hidden: 5 };
    let mut params = init(&config, 7);
    // Far from even, so that what is wrong shows.
    for x in params.iter_mut().flat_map(|mat| &mut mat.data) {
        *x *= 2.0;
    }
    let fragments = Fragments::count(["name_x", "name_y", "singer_id", "singer_id"], 8);
    SqlModel::new(
        Weights { encoder: "letters".into(), databases: vec!["seen".into()], config, vocabulary, fragments, params },
        Box::new(Letters { width: WIDTH }),
    )
    .unwrap()
}

const QUESTION: &str = "How many songs named 'x y' are there of singers older than 30?";

fn stages(template: &str) -> [(Stage<'_>, usize); 4] {
    [(Stage::Template, BEGIN_TEMPLATE), (Stage::Query, BEGIN_QUERY), (Stage::PlannedQuery, BEGIN_PLANNED), (Stage::Fill(template), FILL)]
}

/// A token drawn from log-probabilities, which are checked to be a distribution.
fn draw(scores: &[f64], stream: &mut Stream) -> u32 {
    let total: f64 = scores.iter().map(|p| p.exp()).sum();
    assert!((total - 1.0).abs() < 1e-9, "{total}");
    let mut left = stream.uniform() * total;
    let drawn = scores.iter().position(|p| {
        left -= p.exp();
        left < 0.0
    });
    drawn.or_else(|| scores.iter().rposition(|p| p.is_finite())).unwrap() as u32
}

/// The log-probability of a sequence of pieces as the product over its words and fillers, found by trying all symbols that spell it.
fn by_words(reading: &ModelReading<'_>, begin: usize, target: Option<&Target>, tokens: &[u32]) -> f64 {
    let mut log_prob = 0.0;
    let mut boundary = reading.boundaries(begin, target, &[Complete { from: None }]).unwrap().pop().unwrap();
    let mut rest = tokens;
    while !rest.is_empty() {
        let is_first = |token: &u32| boundary.symbols.iter().any(|symbol| symbol.pieces[0] == *token);
        // Words never share their pieces with what stands within names, so exactly one symbol spells what comes, up to where another can begin.
        let fits = boundary.symbols.iter().filter(|symbol| rest.starts_with(&symbol.pieces));
        let longest = fits.max_by_key(|symbol| symbol.pieces.len()).expect("the text is made of symbols").clone();
        assert!(longest.pieces.iter().skip(1).all(|piece| !is_first(piece)));
        log_prob += longest.log_prob;
        rest = &rest[longest.pieces.len()..];
        if !rest.is_empty() {
            let next = reading.boundaries(begin, target, &[Complete { from: Some((&boundary, &longest)) }]).unwrap().pop().unwrap();
            boundary = next;
        }
    }
    log_prob
}

#[test]
fn every_stage_is_a_distribution_over_pieces_whose_texts_have_the_probability_of_their_words() {
    let (mut model, schema) = (untrained(), schema());
    let template = templatise(
        "select t1.name, count(*) from singer as t1 join song as t2 on t1.id = t2.singer_id where t1.age > 3",
        &SchemaWords::new(&schema),
    )
    .text;
    for whole_names in [false, true] {
        model.whole_names = whole_names;
        let reading = ModelReading::new(&model, QUESTION, &schema).unwrap();
        for (number, (stage, begin)) in stages(&template).into_iter().enumerate() {
            let target = matches!(stage, Stage::Fill(_)).then(|| {
                Target::new(&template, &model.weights.vocabulary, &net::Net { config: &model.weights.config }, &model.weights.params)
            });
            for walk in 0..6 {
                let mut stream = Stream::new(1, "walk", number as u64 * 10 + walk);
                let (mut scorer, prompt) = reading.scorer(stage).unwrap();
                let (mut scores, mut tokens, mut log_prob) = (scorer.begin(&prompt).unwrap(), vec![], 0.0);
                let end = reading.pieces().end;
                while tokens.last() != Some(&end) && tokens.len() < 70 {
                    let token = draw(&scores, &mut stream);
                    log_prob += scores[token as usize];
                    tokens.push(token);
                    scores = scorer.advance(&[Step { parent: 0, token }]).unwrap().remove(0);
                }
                if tokens.last() == Some(&end) {
                    let expected = by_words(&reading, begin, target.as_ref(), &tokens);
                    assert!(
                        (log_prob - expected).abs() < 1e-5 * (1.0 + expected.abs()),
                        "{log_prob} {expected}: {}",
                        reading.pieces().text(&tokens)
                    );
                    if target.is_some() {
                        let text = reading.pieces().text(&tokens);
                        assert_eq!(templatise(&text, &SchemaWords::new(&schema)).text, template, "{text}");
                    }
                } else {
                    assert!(number < 3, "stage 2 ends with its template");
                }
            }
        }
    }
}

#[test]
fn all_fillings_of_a_template_together_have_probability_one() {
    let (model, schema) = (untrained(), schema());
    let reading = ModelReading::new(&model, QUESTION, &schema).unwrap();
    let (mut scorer, prompt) = reading.scorer(Stage::Fill("select column from table")).unwrap();
    let end = reading.pieces().end;
    let mut level = vec![(vec![], 0.0)];
    let mut scores = vec![scorer.begin(&prompt).unwrap()];
    let (mut total, mut found) = (0.0, BTreeSet::new());
    while !level.is_empty() {
        let (mut next, mut steps) = (vec![], vec![]);
        for (parent, ((tokens, log_prob), scores)) in level.iter().zip(&scores).enumerate() {
            for (token, p) in scores.iter().enumerate().filter(|(_, p)| p.is_finite()) {
                let (tokens, log_prob): (Vec<u32>, f64) = ([&tokens[..], &[token as u32]].concat(), log_prob + p);
                if token as u32 == end {
                    total += log_prob.exp();
                    assert!(found.insert(reading.pieces().text(&tokens)));
                } else {
                    steps.push(Step { parent, token: token as u32 });
                    next.push((tokens, log_prob));
                }
            }
        }
        scores = scorer.advance(&steps).unwrap();
        level = next;
    }
    assert!((total - 1.0).abs() < 1e-9, "{total}");
    // Six names of columns and `*`, behind either table.
    assert_eq!(found.len(), 8 * 2, "{found:?}");
    for text in
        ["select name from song", "select name_of from singer", "select * from song", "select `how much` from song", "select née from song"]
    {
        assert!(found.contains(text), "{text}");
    }
}

#[test]
fn rows_together_are_rows_alone_and_what_nothing_goes_on_with_ends() {
    let (model, schema) = (untrained(), schema());
    let reading = ModelReading::new(&model, QUESTION, &schema).unwrap();
    let (mut scorer, prompt) = reading.scorer(Stage::Query).unwrap();
    let first = scorer.begin(&prompt).unwrap();
    let select = first.iter().position(|p| p.is_finite()).unwrap() as u32;
    let second = scorer.advance(&[Step { parent: 0, token: select }]).unwrap().remove(0);
    let likely: Vec<u32> = (0..second.len() as u32).filter(|&t| second[t as usize] > -6.0).collect();
    assert!(likely.len() > 2);
    let steps: Vec<Step> = likely.iter().map(|&token| Step { parent: 0, token }).collect();
    let together = scorer.advance(&steps).unwrap();
    for (token, row) in likely.iter().zip(&together) {
        // The prompt may hold what was said before.
        let (mut alone, _) = reading.scorer(Stage::Query).unwrap();
        let expected = alone.begin(&[&prompt[..], &[select, *token]].concat()).unwrap();
        for (a, b) in row.iter().zip(&expected) {
            assert!(a == b || (a - b).abs() < 1e-5, "{a} {b}");
        }
    }
    let impossible = (0..second.len() as u32).find(|&t| together[0][t as usize] == f64::NEG_INFINITY).unwrap();
    let dead = scorer.advance(&[Step { parent: 0, token: impossible }]).unwrap().remove(0);
    assert_eq!(dead.iter().filter(|p| p.is_finite()).count(), 1);
    assert_eq!(dead[reading.pieces().end as usize], 0.0);
    assert!(matches!(scorer.advance(&[Step { parent: 4, token: 0 }]), Err(ScorerError::Parent { row: 4, rows: 1 })));
    assert_eq!(scorer.begin(&[]), Err(ScorerError::EmptyPrompt));
}

#[test]
fn what_cannot_be_read_is_said_and_large_input_is_fine() {
    let (model, schema) = (untrained(), schema());
    let error = |question: &str, schema: &Schema| model.read(question, schema).err().map(|e| e.to_string());
    assert_eq!(error(" ", &schema).as_deref(), Some("the question is empty"));
    assert_eq!(error("x", &Schema::default()).as_deref(), Some("the schema has no tables"));
    assert_eq!(error(&"word ".repeat(10_000), &schema), None);
    let columns: Vec<String> = (0..500).map(|i| format!("column_{i} int")).collect();
    let wide = ddl::read(&format!("CREATE TABLE t ({})", columns.join(", ")), "w").unwrap();
    let reading = model.read("x of `é`", &wide).unwrap();
    assert_eq!(texts(&*reading, Stage::Fill("select column from table limit 1.5"), &Beam::new(4), 4).unwrap().len(), 4);
    let other = Letters { width: WIDTH + 1 };
    assert!(SqlModel::new(model.weights.clone(), Box::new(other)).is_err());
}

fn data() -> (TrainConfig, examples::Data, TrainState) {
    let made = synthetic(&SyntheticConfig { schemas: 8, held_out: 0, questions_a_schema: 12, seed: 0 });
    let (vocabulary, fragments) = vocabulary(&made.train, &made.schemas).unwrap();
    let cache = Cache::new(Box::new(Letters { width: 48 }));
    let data = encode(&made.train, &made.schemas, &vocabulary, &cache, &mut |_, _| {}).unwrap();
    assert_eq!((data.left_out, data.examples.len()), (0, 96));
    let config = TrainConfig { steps: 24, batch_size: 16, checkpoint_every: 6, warm_up: 4, ..TrainConfig::default() };
    let state = TrainState::new(&config, ("letters", 48), vocabulary, fragments);
    (config, data, state)
}

#[test]
fn train_lowers_both_losses_and_goes_on_where_it_was_stopped() {
    let (config, data, fresh) = data();
    let before = losses(&fresh.weights, &data);
    let mut lab = MemoryLab::new(Device::flex());
    let mut straight = fresh.clone();
    train(&config, &data, &mut straight, "train", &mut lab).unwrap();
    let after = losses(&straight.weights, &data);
    assert!(after[0] < 0.6 * before[0] && after[1] < 0.5 * before[1], "{before:?} {after:?}");
    let mut lab = MemoryLab::new(Device::flex());
    lab.stop_at = Some(9);
    let mut stopped = fresh.clone();
    assert!(matches!(train(&config, &data, &mut stopped, "train", &mut lab), Err(TrainError::Lab(LabError::Stopped { step: 9 }))));
    lab.stop_at = None;
    let mut resumed = fresh.clone();
    train(&config, &data, &mut resumed, "train", &mut lab).unwrap();
    assert_eq!(resumed, straight, "the same bits");
    let other = TrainState::new(&config, ("letters", 47), fresh.weights.vocabulary.clone(), fresh.weights.fragments.clone());
    assert!(file::resume(&file::checkpoint(&straight).unwrap(), &other).is_err());
    assert!(train(&TrainConfig { lr: 0.0, ..config }, &data, &mut resumed, "train", &mut lab).is_err());
}

#[test]
fn files_give_the_model_back_and_damaged_ones_are_refused() {
    let weights = untrained().weights;
    let saved = file::save(&weights).unwrap();
    assert_eq!(file::load(&saved.config, &saved.weights).unwrap(), weights);
    for (from, to) in [
        ("text-to-sql/2", "text-to-sql/9"),
        ("\"width\": 10", "\"width\": 0"),
        ("\"width\": 10", "\"width\": 11"),
        ("\"width\": 10", "\"width\": 4000000000"),
        ("\" as\",", ""),
        ("\"net\"", "\"nit\""),
    ] {
        let config = saved.config.replacen(from, to, 1);
        assert_ne!(config, saved.config, "{from}");
        assert!(file::load(&config, &saved.weights).is_err(), "{from}");
    }
    // A model of an earlier version is known as one, whatever else its config.json holds, and it is said what to do.
    let old = "{\"schema\": \"vitrine.text-to-sql/1\", \"encoder\": \"minilm\"}";
    assert!(file::is_config(old) && file::is_config(&saved.config) && !file::is_config("{\"model_type\": \"llama\"}"));
    let words = file::load(old, &saved.weights).unwrap_err().to_string();
    assert!(["text-to-sql/1", "text-to-sql/2", "sql train"].iter().all(|part| words.contains(part)), "{words}");
    assert!(file::load(&saved.config, &saved.weights[..saved.weights.len() / 2]).is_err());
    assert!(file::load(&saved.config, b"").is_err());
}

#[test]
fn plans_come_first_and_samples_stay_in_the_grammar_of_words() {
    let (model, schema) = (untrained(), schema());
    let reading = model.read(QUESTION, &schema).unwrap();
    for seed in 0..5 {
        let sample = Sample { samples: 3, ..Sample::plain() };
        let (mut scorer, prompt) = reading.scorer(Stage::Template).unwrap();
        let settings = vitrine_core::decode::Settings { max_tokens: 40, eos: vec![reading.pieces().end], seed, ..Default::default() };
        let found =
            vitrine_core::decode::decode(&sample, &mut *scorer, &prompt, &settings, &vitrine_core::decode::Unconstrained, &mut |_, _| {})
                .unwrap();
        for hypothesis in found.hypotheses {
            let text = reading.pieces().text(&hypothesis.tokens);
            let (_, template) = Plan::read(&text).unwrap();
            let words = lex(template);
            assert!(words.iter().all(|word| model.weights.vocabulary.find(word).is_some()), "{text}");
            // A table stands behind from and join, and only there.
            for pair in words.windows(2) {
                assert_eq!(pair[1] == " table", matches!(pair[0], " from" | " join") && pair[1] != " (", "{text}");
            }
        }
    }
}

#[test]
fn changed_schemas_have_the_new_names_and_their_keys() {
    let ddl = "CREATE TABLE a (id int PRIMARY KEY, x text, y int); CREATE TABLE b (a_id int REFERENCES a(id))";
    let schema = ddl::read(ddl, "d").unwrap();
    let names = |schema: &Schema, table: usize| schema.columns_of(table).map(|(_, column)| column.name.clone()).collect::<Vec<_>>();
    let pair = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
    let column = changed(&schema, &Change::Column { table: "a".into(), column: "id".into(), names: pair("i", "k") });
    assert_eq!(
        (names(&column, 0), &column.primary_keys, &column.foreign_keys),
        (vec!["i".into(), "k".into(), "x".into(), "y".into()], &vec![0, 1], &vec![(4, 0), (4, 1)])
    );
    let table = changed(&schema, &Change::Table { table: "a".into(), names: pair("p", "q") });
    assert_eq!(
        (&table.tables[..], names(&table, 2), &table.foreign_keys),
        (&["p", "b", "q"].map(str::to_owned)[..], names(&schema, 0), &vec![(3, 0), (3, 4)])
    );
    for (kind, sql) in [(Kind::J, "select x, y from a"), (Kind::P, "select max(y) from a")] {
        let example = ambiguate(kind, sql, &schema, &Synonyms::default()).remove(0);
        let new = changed(&schema, &example.change);
        let words = SchemaWords::new(&new);
        assert_eq!(new.tables.len(), 3);
        // Both readings are made of names that are there.
        for reading in &example.readings {
            let left = templatise(reading, &words).text;
            assert!(!left.contains("a_") && !left.contains("max_"), "{left}");
        }
        assert!(new.columns.is_sorted_by_key(|column| column.table));
    }
}
