//! Words of a text as a Treebank-style tokenizer cuts them.
//!
//! The official SQL evaluator splits SQL with a tokenizer made for English prose, and its verdicts depend on that: `a,b` falls apart and `1,2` does not, `cannot` is
//! two words, `a=1` is one. The rules are a chain of replacements that put spaces round things; the words are what stands between spaces. Rules about
//! quotation marks are left out: the evaluator has taken all of them out of the text before (see [`super::tokens`]).
//!
//! **Source.** The rules of the Penn Treebank tokenizer as NLTK's word tokenizer extends them, in their order.

/// Words that are cut in two, and where.
const CONTRACTIONS: [(&str, usize); 5] = [("cannot", 3), ("gimme", 3), ("gonna", 3), ("gotta", 3), ("lemme", 3)];

/// The words of `text`, which holds neither `'` nor `"`.
pub fn words(text: &str) -> Vec<String> {
    let mut text: Vec<char> = text.chars().collect();
    spaced(&mut text, |c| matches!(c, '«' | '“' | '‘' | '„'));
    // Runs of backticks are set apart, then cut into pairs.
    runs(&mut text, '`', 1, usize::MAX);
    runs(&mut text, '`', 2, 2);
    final_period(&mut text);
    commas(&mut text);
    runs(&mut text, '.', 2, usize::MAX);
    // One pass for the rules that put spaces round single marks: none of them looks at its surroundings.
    spaced(&mut text, |c| {
        matches!(c, ';' | '@' | '#' | '$' | '%' | '&' | '?' | '!' | '*' | ']' | '[' | '(' | ')' | '{' | '}' | '<' | '>' | '»' | '”' | '’')
    });
    runs(&mut text, '-', 2, 2);
    contractions(&mut text);
    text.split(|c| is_space(*c)).filter(|word| !word.is_empty()).map(|word| word.iter().collect()).collect()
}

/// White space as Python sees it: the four separators of ASCII count.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn spaced(text: &mut Vec<char>, mark: impl Fn(char) -> bool) {
    if text.iter().any(|c| mark(*c)) {
        let with_spaces = |c: &char| if mark(*c) { [Some(' '), Some(*c), Some(' ')] } else { [Some(*c), None, None] };
        *text = text.iter().flat_map(with_spaces).flatten().collect();
    }
}

/// Spaces round runs of at least `least` equal marks; with `take`, round each piece of that length, and the rest of the run stays as it is.
fn runs(text: &mut Vec<char>, mark: char, least: usize, take: usize) {
    if !text.contains(&mark) {
        return;
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut at = 0;
    while at < text.len() {
        let piece = text[at..].iter().take(take).take_while(|c| **c == mark).count();
        if piece >= least {
            out.push(' ');
            out.extend(std::iter::repeat_n(mark, piece));
            out.push(' ');
            at += piece;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    *text = out;
}

/// A period that ends the text, closing brackets aside, is a word of its own unless another stands before it.
fn final_period(text: &mut Vec<char>) {
    let mut end = text.len();
    while end > 0 && is_space(text[end - 1]) {
        end -= 1;
    }
    while end > 0 && matches!(text[end - 1], ']' | ')' | '}' | '>' | '»' | '”' | '’' | ' ') {
        end -= 1;
    }
    if end >= 2 && text[end - 1] == '.' && text[end - 2] != '.' {
        text.insert(end, ' ');
        text.insert(end - 1, ' ');
    }
}

/// A comma or colon is set apart unless a digit follows; of two in a row the second is not looked at again.
fn commas(text: &mut Vec<char>) {
    if !text.iter().any(|c| matches!(c, ',' | ':')) {
        return;
    }
    let mut out = Vec::with_capacity(text.len() + 16);
    let mut at = 0;
    while at < text.len() {
        let mark = matches!(text[at], ',' | ':');
        match text.get(at + 1) {
            Some(next) if mark && !next.is_ascii_digit() => {
                out.extend([' ', text[at], ' ', *next]);
                at += 2;
            }
            _ => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    // The last character once more: a mark at the very end, also one that was the second of two.
    let end = out.len() - usize::from(out.last() == Some(&'\n'));
    if end > 0 && matches!(out[end - 1], ',' | ':') {
        out.insert(end, ' ');
        out.insert(end - 1, ' ');
    }
    *text = out;
}

fn contractions(text: &mut Vec<char>) {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut at = 0;
    while at < text.len() {
        let run = text[at..].iter().take_while(|c| is_word(c)).count().max(1);
        let word = &text[at..at + run];
        let known = |known: &str| known.len() == run && known.chars().zip(word).all(|(a, b)| a == b.to_ascii_lowercase());
        let wanna = known("wanna") && text.get(at + run).is_none_or(|c| is_space(*c));
        match CONTRACTIONS.iter().find(|(word, _)| known(word)).map(|(_, cut)| *cut).or(wanna.then_some(3)) {
            Some(cut) => {
                let (left, right) = word.split_at(cut);
                out.push(' ');
                out.extend(left);
                out.push(' ');
                out.extend(right);
                out.push(' ');
            }
            None => out.extend(word),
        }
        at += run;
    }
    *text = out;
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn marks_fall_apart_and_numbers_and_operators_stay() {
        let cut = |text: &str| words(text).join("|");
        assert_eq!(cut("a,b , 1,2 a=1 a >= b!=c"), "a|,|b|,|1,2|a=1|a|>|=|b|!|=c");
        assert_eq!(cut("count(*) t1.x -- ;"), "count|(|*|)|t1.x|--|;");
        assert_eq!(cut("from t1."), "from|t1|.");
        assert_eq!(cut("x..y a,,b"), "x|..|y|a|,|,b");
        assert_eq!(cut("cannot `x` ``y`` ---"), "can|not|`|x|`|``|y|``|--|-");
    }
}
