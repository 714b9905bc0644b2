//! The claims: what the paper says, what this run found, and whether they agree. Verdicts are words with a sign; colour
//! only repeats them.

use maud::{Markup, html};

use super::text::{NAME, PROSE, shown};
use crate::findings::{Claim, Verdict};

/// The claims of one run; nothing when there are none.
pub(super) fn claims(run: usize, claims: &[Claim]) -> Markup {
    html! {
        @if !claims.is_empty() {
            section.claims aria-labelledby={ "r" (run) "-claims" } {
                h3 id={ "r" (run) "-claims" } { "Claims" }
                p.tally { (tally(claims)) }
                ol { @for claim in claims { (one(run, claim)) } }
            }
        }
    }
}

/// `3 hold, 1 fails, 2 were not tested`.
pub(super) fn tally(claims: &[Claim]) -> Markup {
    let number = |verdict| claims.iter().filter(|claim| claim.verdict == verdict).count();
    let (holds, fails, open) = (number(Verdict::Holds), number(Verdict::Fails), number(Verdict::NotTested));
    html! {
        span.verdict.holds { (icon(Verdict::Holds)) (holds) @if holds == 1 { " holds" } @else { " hold" } } " "
        span.verdict.fails { (icon(Verdict::Fails)) (fails) @if fails == 1 { " fails" } @else { " fail" } } " "
        span.verdict.open { (icon(Verdict::NotTested)) (open) " not tested" }
    }
}

fn one(run: usize, claim: &Claim) -> Markup {
    let source = &claim.source;
    html! {
        li id={ "r" (run) "-claim-" (claim.id) } {
            article class={ "claim " (class(claim.verdict)) } {
                p class={ "verdict " (class(claim.verdict)) } { (icon(claim.verdict)) (claim.verdict.word()) }
                div {
                    p.statement { (shown(&claim.statement, PROSE)) }
                    dl.figures {
                        @if let Some(published) = &claim.published { div { dt { "Published" } dd { (shown(published, PROSE)) } } }
                        div { dt { "Found here" } dd { (shown(&claim.found, PROSE)) } }
                        @if !claim.tolerance.is_empty() { div { dt { "Agreement means" } dd { (shown(&claim.tolerance, PROSE)) } } }
                        @if !claim.differs.is_empty() { div { dt { "What differs" } dd { (shown(&claim.differs, PROSE)) } } }
                    }
                    p.source {
                        @if source.published { span.mark { "published" } " " } @else { span.mark.own { "own expectation" } " " }
                        (shown(&source.paper, NAME))
                        @if !source.section.is_empty() { ", " (shown(&source.section, NAME)) }
                    }
                }
            }
        }
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "fails",
        Verdict::NotTested => "open",
    }
}

fn icon(verdict: Verdict) -> Markup {
    let d = match verdict {
        Verdict::Holds => "M3.5 8.5l3 3l6 -7",
        Verdict::Fails => "M4 4l8 8m0 -8l-8 8",
        Verdict::NotTested => "M4 8h8",
    };
    html! { svg.icon viewBox="0 0 16 16" aria-hidden="true" focusable="false" { path d=(d) {} } }
}
