//! Stochastic beam search: a sample of sequences without replacement.
//!
//! **Idea.** The k sequences with the largest Gumbel-perturbed log-probabilities are a sample without replacement. They can be found top-down, as the maximum over a subtree can be drawn before
//! its members: children are drawn so that their maximum is their parent's.
//!
//! **Method.** A node has its log-probability phi and its perturbed G; the root's G is 0. Its children draw `g_i ~ Gumbel(phi_i)`, with `Z = max g_i`, and get
//! `G_i = -log(exp(-G) - exp(-Z) + exp(-g_i))`, computed as `v = G - g_i + log1p(-exp(g_i - Z))`, `G_i = G - max(0, v) - log1p(exp(-|v|))`. The k largest G stay, finished ones among them.
//!
//! **Source.** Kool, van Hoof and Welling 2019, section 3 and appendix B.

use super::{
    Method,
    beam::rank,
    scorer::log_sum_exp,
    search::{Candidate, DecodeError, Hypothesis, Live, MAX_WIDTH, Search, setting, top},
    trace::Cut,
};
use crate::train::rng::Stream;

/// Samples without replacement.
#[derive(Debug, Clone, Copy)]
pub struct Stochastic {
    pub width: usize,
}

/// A live hypothesis with its log-probability under the constraint and its perturbed one.
struct Node {
    live: usize,
    phi: f64,
    perturbed: f64,
}

/// A continuation with its log-probability under the constraint.
struct Child {
    candidate: Candidate,
    phi: f64,
}

impl Stochastic {
    /// The best children of a node by their perturbed log-probabilities.
    fn children(&self, search: &mut Search<'_>, live: &[Live], node: &Node) -> Vec<Child> {
        let hypothesis = &live[node.live];
        let mut random = Stream::new(search.settings.seed, "decode/gumbel", (hypothesis.tokens.len() as u64) << 32 | node.live as u64);
        let mut next = hypothesis.next.clone();
        if !hypothesis.may_branch {
            let only = search.best(hypothesis, node.live, 1);
            let child = |candidate| Child { candidate: Candidate { score: node.perturbed, ..candidate }, phi: node.phi };
            return only.into_iter().map(child).collect();
        }
        // What a costly constraint refuses is taken out of the distribution before anything is drawn. For others this asks nothing.
        loop {
            let refused: Vec<(u32, String)> =
                top(&next, self.width).into_iter().filter_map(|token| hypothesis.check(token).err().map(|why| (token, why))).collect();
            if refused.is_empty() {
                break;
            }
            for (token, why) in refused {
                let log_prob = hypothesis.log_prob + next[token as usize];
                let candidate = Candidate { parent: node.live, token, log_prob, score: log_prob };
                search.cut(hypothesis, &candidate, Cut::Constraint(why));
                next[token as usize] = f64::NEG_INFINITY;
            }
        }
        let largest = next.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let normalizer = log_sum_exp(largest, next.iter().copied());
        let phi = |token: usize| node.phi + next[token] - normalizer;
        // A number is drawn for every token, so that a mask does not shift what the others get.
        let noisy: Vec<f64> = (0..next.len()).map(|token| phi(token) - (-random.uniform().ln()).ln()).collect();
        let mut children = vec![];
        let mut maximum = None;
        for token in top(&noisy, self.width) {
            let g = noisy[token as usize];
            let z = *maximum.get_or_insert(g);
            if hypothesis.check(token).is_ok() {
                let log_prob = hypothesis.log_prob + hypothesis.next[token as usize];
                let score = conditioned(node.perturbed, g, z);
                children.push(Child { candidate: Candidate { parent: node.live, token, log_prob, score }, phi: phi(token as usize) });
            }
        }
        children
    }
}

/// `-log(exp(-parent) - exp(-z) + exp(-g))`, without overflow: `g` moved so that the largest of its kind, `z`, becomes `parent`.
fn conditioned(parent: f64, g: f64, z: f64) -> f64 {
    let v = parent - g + (-(g - z).exp()).ln_1p();
    parent - v.max(0.0) - (-v.abs()).exp().ln_1p()
}

impl Method for Stochastic {
    fn search(&self, search: &mut Search<'_>) -> Result<Vec<Hypothesis>, DecodeError> {
        setting((1..=MAX_WIDTH).contains(&self.width), "the beam's width", self.width, "between 1 and 4096")?;
        let mut live = vec![search.begin()?];
        let mut beam = vec![Node { live: 0, phi: 0.0, perturbed: 0.0 }];
        let mut finished: Vec<Hypothesis> = vec![];
        while !beam.is_empty() {
            let mut children = vec![];
            for node in &beam {
                children.extend(self.children(search, &live, node));
            }
            children.sort_by(|a, b| a.candidate.rank(&b.candidate, &live));
            // Finished sequences keep their place while it is among the largest.
            let mut scores: Vec<f64> = finished.iter().map(|h| h.score).chain(children.iter().map(|c| c.candidate.score)).collect();
            scores.sort_by(|a, b| b.total_cmp(a));
            let bound = scores.get(self.width - 1).copied().unwrap_or(f64::NEG_INFINITY);
            finished.retain(|hypothesis| {
                let stays = hypothesis.score >= bound;
                if !stays {
                    search.give_up(hypothesis.node, Cut::OutOfBeam);
                }
                stays
            });
            let room = self.width.saturating_sub(finished.len()).min(children.len());
            let rest = children.split_off(room);
            for child in rest {
                search.cut(&live[child.candidate.parent], &child.candidate, Cut::OutOfBeam);
            }
            let chosen: Vec<Candidate> = children.iter().map(|child| child.candidate).collect();
            let next = search.advance(&live, &chosen)?;
            beam = next
                .live
                .iter()
                .enumerate()
                .map(|(live, (index, _))| {
                    let child = &children[*index];
                    Node { live, phi: child.phi, perturbed: child.candidate.score }
                })
                .collect();
            live = next.live.into_iter().map(|(_, live)| live).collect();
            finished.extend(next.ended.into_iter().map(|(_, hypothesis)| hypothesis));
        }
        rank(&mut finished);
        Ok(finished)
    }
}
