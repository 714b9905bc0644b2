//! What the study found, as findings: checks, a table of arms, curves, and perplexities after each context.

use super::{ARMS, Arm, Data, ExperimentConfig, Results};
use vitrine_core::{
    findings::{Axis, BarGroup, Bars, Best, Claim, Column, Findings, Line, Mark, Panel, Pictures, Series, Source, Table, Verdict},
    stats::{interval, mean, spread},
};

const PAPER: &str = "Gao et al. 2024, arXiv 2402.14073";
/// Nats that the true picture has to be worth to an eye that reads.
pub const READ_GAP: f64 = 1.0;
/// Points that patch-and-text prediction has to be above the other arms.
pub const POINTS: f64 = 3.0;
/// Standardised loss that redrawing alone should come to.
pub const PATCH_LOSS: f64 = 0.72;
/// Perplexity with the true picture over that without, at most, and with the wrong one, at least.
pub const RIGHT_RATIO: f64 = 0.7;
pub const WRONG_RATIO: f64 = 0.95;
/// The same of natural text, where a picture says little of what follows.
pub const NATURAL_RATIO: f64 = 0.99;

fn percent(x: f64) -> f64 {
    100.0 * x
}

/// For each test row the share of seeds that are right.
fn right(arm: &Arm, wanted: &[f64]) -> Vec<f64> {
    let seeds = arm.outcomes.len().max(1) as f64;
    let share = |(row, wanted): (usize, &f64)| {
        arm.outcomes.iter().filter(|outcome| outcome.answers.get(row) == Some(wanted)).count() as f64 / seeds
    };
    wanted.iter().enumerate().map(share).collect()
}

fn tests(arm: &Arm) -> Vec<f64> {
    arm.outcomes.iter().map(|outcome| outcome.test).collect()
}

impl Results {
    fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// The study as findings.
    #[must_use]
    pub fn findings(&self, config: &ExperimentConfig, data: &Data) -> Findings {
        let mut findings = Findings::new("screenshot", "Language models that read pictures of text");
        findings.caveats = vec![
            format!(
                "Very small models ({} thousand numbers with both decoders; the published encoder alone has 86 million), {} steps of pre-training, one seed of it, {} of fine-tuning: signs and sizes of \
                 differences mean something, single figures do not compare with published ones.",
                self.arm(ARMS[0]).map_or(0, |arm| arm.numbers) / 1000,
                config.pretrain.steps,
                config.seeds
            ),
            format!("Each arm sees the first {} bytes of a text.", config.pretrain.bytes),
        ];
        if data.made {
            findings.caveats.push(
                "Text and labelled rows were made by rule: they show that the method works, not how well it reads what people write."
                    .into(),
            );
        }
        if let Some(stuck) = self.arms.iter().find(|arm| arm.outcomes.iter().any(|outcome| outcome.stuck)) {
            findings
                .caveats
                .push(format!("A fine-tuning of \u{201c}{}\u{201d} stayed at chance after all its new beginnings.", stuck.name));
        }
        findings.claims = self.claims(config, data);
        findings.panels = vec![self.table(data), self.curves("text", 1, "Text", "nats a token"), self.curves("patches", 2, "Patches", "")];
        for (number, arm) in self.arms.iter().enumerate().filter(|(_, arm)| !arm.pictures.is_empty()) {
            let caption = "Kept-out texts: as drawn, as the eye was given them (hidden patches grey), and with the hidden patches redrawn. \
                           Redrawn patches have the mean and the deviation of the true ones, as the loss is of standardised patches.";
            let pictures = Pictures { pictures: arm.pictures.clone() };
            let title = format!("What an eye sees and redraws: {}", arm.name);
            findings.panels.push(Panel::new(format!("seen-{number}"), title, caption, pictures));
        }
        findings.panels.push(self.pages(config));
        findings
    }

    fn table(&self, data: &Data) -> Panel {
        let mut table = Table::new(vec![
            Column::text("pre-training"),
            Column::number("test accuracy", 1).unit("%").best(Best::Highest),
            Column::number("deviation over seeds", 1).unit("%"),
            Column::number("95 % from", 1).unit("%"),
            Column::number("to", 1).unit("%"),
            Column::number("text loss", 2).unit("nats"),
            Column::number("with another's picture", 2).unit("nats"),
            Column::number("patch loss", 2),
            Column::number("new beginnings", 0),
            Column::number("seconds", 0),
        ]);
        for arm in &self.arms {
            let tests = tests(arm);
            let [low, high] = interval(&right(arm, &self.wanted), 0);
            let reads = |of: &dyn Fn(&crate::train::pretrain::Reading) -> f64, shown: bool| {
                arm.reading.as_ref().filter(|_| shown).map_or(vitrine_core::findings::Cell::Missing, |reading| of(reading).into())
            };
            let writes = arm.name == ARMS[0];
            table.push(vec![
                arm.name.clone().into(),
                percent(mean(&tests)).into(),
                percent(spread(&tests)).into(),
                percent(low).into(),
                percent(high).into(),
                reads(&|reading| reading.text, writes),
                reads(&|reading| reading.shuffled, writes),
                reads(&|reading| reading.pixel, true),
                (arm.outcomes.iter().map(|outcome| outcome.restarts).sum::<u64>() as f64).into(),
                arm.seconds.into(),
            ]);
        }
        let caption = format!(
            "{}: accuracy on {} test rows, mean of {} fine-tunings; the interval is a bootstrap over rows. Losses are of texts that were kept out, damaged as in training.",
            data.name,
            self.wanted.len(),
            self.arms.first().map_or(0, |arm| arm.outcomes.len())
        );
        Panel::new("arms", "The arms", caption, table)
    }

    fn curves(&self, id: &str, column: usize, title: &str, unit: &str) -> Panel {
        let mut lines = vec![];
        for arm in &self.arms {
            // Zero is a loss that is not asked for.
            let points: Vec<(f64, f64)> =
                arm.history.iter().filter_map(|row| Some((*row.first()?, *row.get(column)?))).filter(|(_, y)| *y > 0.0).collect();
            if !points.is_empty() {
                lines.push(Line::new(arm.name.clone(), points.iter().map(|p| p.0).collect(), points.iter().map(|p| p.1).collect()));
            }
        }
        let caption = match column {
            1 => {
                "Loss of text in training. Reading begins where the curve leaves its plateau; in the easier stages texts are short and undamaged, so the loss rises where a harder one begins. Words are \
                  measured on hidden words alone."
            }
            _ => "Loss of hidden patches in training, each standardised by its own mean and variance; an untrained model has about 1.",
        };
        let marks = if column == 2 { vec![Mark { label: "looked for, redrawing alone".into(), value: PATCH_LOSS }] } else { vec![] };
        let series = Series {
            x: Axis::new("step", ""),
            y: Axis::new(format!("{} loss", title.to_lowercase()), unit),
            lines,
            marks,
            ..Series::default()
        };
        Panel::new(id, format!("{title} in pre-training"), caption, series)
    }

    fn pages(&self, config: &ExperimentConfig) -> Panel {
        let after = &self.pages.after;
        let values = [after.nothing, after.wrong, after.picture, after.words].map(|nats| Some(nats.exp()));
        let bars = Bars {
            value: Axis {
                range: Some([1.0, after.nothing.exp().max(after.wrong.exp()).max(2.0)]),
                ..Axis::new("perplexity of answers", "")
            },
            categories: ["nothing", "another page's picture", "the page's picture", "the page in words"].map(str::to_owned).to_vec(),
            groups: vec![BarGroup { name: "kept-out pages".into(), values: values.to_vec(), band: None }],
            ..Bars::default()
        };
        let caption = if config.natural {
            format!(
                "Perplexity of {} tokens after each kind of context: what comes before them in the last tenth of the text, which was kept out.",
                after.tokens
            )
        } else {
            format!(
                "Perplexity of {} answer tokens after each kind of context. A page says six facts, the text asks about each; pages of a seed that training never used.",
                after.tokens
            )
        };
        Panel::new("pages", "What a picture is worth to the text after it", caption, bars)
    }

    fn claims(&self, config: &ExperimentConfig, data: &Data) -> Vec<Claim> {
        let source = |section: &str, published| Source { paper: PAPER.into(), section: section.into(), published };
        let differs = "Models many times smaller, minutes of training, other data.";
        let ours = |id: &str, statement: &str, found: String, tolerance: String, holds: Option<bool>| Claim {
            id: id.into(),
            statement: statement.into(),
            source: source("", false),
            published: None,
            found,
            tolerance,
            verdict: holds.map_or(Verdict::NotTested, Verdict::from_test),
            differs: differs.into(),
        };
        let gap = self.arm(ARMS[0]).and_then(|arm| arm.reading).map(|reading| reading.gap());
        let mut claims = vec![ours(
            "reads",
            "Patch-and-text prediction makes an eye read: another text's picture costs it much.",
            gap.map_or_else(|| "not measured".into(), |gap| format!("{gap:.2} nats a token")),
            format!("at least {READ_GAP} nats"),
            gap.map(|gap| gap >= READ_GAP),
        )];
        for (id, other) in [("over-patches-alone", ARMS[1]), ("over-nothing", ARMS[2])] {
            let (found, holds) = self.above(other);
            claims.push(Claim {
                source: source("main results", id == "over-patches-alone"),
                published: (id == "over-patches-alone").then(|| "up to 8 points over earlier pixel models on GLUE (abstract)".into()),
                ..ours(
                    id,
                    &format!("Patch-and-text prediction understands more than \u{201c}{other}\u{201d} ({}).", data.name),
                    found,
                    format!("at least {POINTS} points, mean of {} seeds", config.seeds),
                    holds,
                )
            });
        }
        let redraw = self.arm(ARMS[1]).and_then(|arm| arm.reading).map(|reading| reading.pixel);
        claims.push(ours(
            "redraws",
            "Redrawing alone learns to redraw.",
            redraw.map_or_else(|| "not measured".into(), |loss| format!("standardised loss {loss:.3}")),
            format!("at most {PATCH_LOSS}"),
            redraw.map(|loss| loss <= PATCH_LOSS),
        ));
        let after = &self.pages.after;
        let [right, wrong] = if config.natural { [NATURAL_RATIO; 2] } else { [RIGHT_RATIO, WRONG_RATIO] };
        claims.push(Claim {
            source: source("autoregressive models", true),
            published: Some("the screenshot context lowers perplexity (abstract)".into()),
            ..ours(
                "right-picture",
                "The picture of what came before lowers the perplexity of what comes after.",
                format!("ratio {:.3} ({:.2} against {:.2})", after.ratio(), after.picture.exp(), after.nothing.exp()),
                format!("at most {right} of that without"),
                Some(after.ratio() <= right),
            )
        });
        claims.push(ours(
            "wrong-picture",
            "Another page's picture is of no use.",
            format!("ratio {:.3} ({:.2} against {:.2})", after.wrong_ratio(), after.wrong.exp(), after.nothing.exp()),
            format!("at least {wrong} of that without"),
            Some(after.wrong_ratio() >= wrong),
        ));
        claims
    }

    /// How far the first arm is above another: words, and whether far enough.
    fn above(&self, other: &str) -> (String, Option<bool>) {
        let (Some(ours), Some(other)) = (self.arm(ARMS[0]), self.arm(other)) else { return ("not run".into(), None) };
        let difference: Vec<f64> = right(ours, &self.wanted).iter().zip(right(other, &self.wanted)).map(|(a, b)| a - b).collect();
        let [low, high] = interval(&difference, 0);
        let points = percent(mean(&tests(ours)) - mean(&tests(other)));
        let found = format!(
            "{:.1} against {:.1} %: {points:+.1} points (95 % interval over rows {:+.1} to {:+.1})",
            percent(mean(&tests(ours))),
            percent(mean(&tests(other))),
            percent(low),
            percent(high)
        );
        (found, Some(points >= POINTS))
    }
}
