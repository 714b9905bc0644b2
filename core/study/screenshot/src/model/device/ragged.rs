//! Ragged texts on a device: sums of listed rows by reading alone, and texts padded to one length.
//!
//! **Idea.** Adding rows into others needs atomic additions, whose order, and so whose last digits, change from run to run, and which devices differ in. So nothing is scattered: whoever needs
//! a sum is told which rows to read. **Method.** A list of rows is read in groups of at most [`FAN`], each summed, the sums again, until every list is one row: some logarithm of the longest list
//! in rounds, each one gather and one sum. Indices are made on the host, where texts begin and end.

use std::ops::Range;

use vitrine_core::tensor::{Device, Int, Tensor, TensorData};

/// Most rows that one round sums into one.
const FAN: usize = 8;
/// What a hidden key's score is lowered by.
const HIDDEN: f32 = -1e30;
/// Padded lengths are multiples of this, so that few shapes of kernels are needed.
const STEP: usize = 8;

/// Row numbers as a device has them.
pub fn index(numbers: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let numbers: Vec<i32> = numbers.map(|number| i32::try_from(number).unwrap_or(i32::MAX)).collect();
    let n = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [n]), device)
}

/// Numbers as a device has them.
pub fn numbers<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Lists of row numbers, one after another.
#[derive(Debug, Clone)]
pub struct Lists {
    /// Where each list begins, and where the last one ends.
    starts: Vec<usize>,
    items: Vec<usize>,
}

impl Lists {
    /// For each of `rows` the places at which `index` names it.
    pub fn places(index: &[usize], rows: usize) -> Self {
        let mut starts = vec![0; rows + 1];
        for &row in index {
            starts[row + 1] += 1;
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        let (mut next, mut items) = (starts.clone(), vec![0; index.len()]);
        for (place, &row) in index.iter().enumerate() {
            items[next[row]] = place;
            next[row] += 1;
        }
        Self { starts, items }
    }

    /// The rows of each span.
    pub fn spans(spans: &[Range<usize>]) -> Self {
        let mut lists = Self { starts: vec![0], items: vec![] };
        for span in spans {
            lists.items.extend(span.clone());
            lists.starts.push(lists.items.len());
        }
        lists
    }

    /// For each of `rows` the spans that hold it.
    pub fn holders(spans: &[Range<usize>], rows: usize) -> Self {
        let index: Vec<usize> = spans.iter().flat_map(Clone::clone).collect();
        let of: Vec<usize> = spans.iter().enumerate().flat_map(|(number, span)| vec![number; span.len()]).collect();
        let mut lists = Self::places(&index, rows);
        for item in &mut lists.items {
            *item = of[*item];
        }
        lists
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn list(&self, number: usize) -> &[usize] {
        &self.items[self.starts[number]..self.starts[number + 1]]
    }

    fn longest(&self) -> usize {
        self.starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }

    /// For each list the sum of its rows of `x` `[rows, width]`; zeros for an empty one.
    pub fn sums(mut self, mut x: Tensor<2>) -> Tensor<2> {
        let device = x.device();
        while self.longest() > FAN {
            // Each list in parts of at most FAN rows; the parts' sums become the rows.
            let mut parts = Self { starts: vec![0], items: vec![] };
            let mut upper = Self { starts: vec![0], items: vec![] };
            for number in 0..self.len() {
                for part in self.list(number).chunks(FAN) {
                    upper.items.push(parts.len());
                    parts.items.extend_from_slice(part);
                    parts.starts.push(parts.items.len());
                }
                upper.starts.push(upper.items.len());
            }
            x = parts.round(x, &device);
            self = upper;
        }
        self.round(x, &device)
    }

    /// One gather and one sum.
    fn round(&self, x: Tensor<2>, device: &Device) -> Tensor<2> {
        let (lists, fan, width) = (self.len(), self.longest(), x.dims()[1]);
        if fan == 0 {
            return Tensor::zeros([lists, width], device);
        }
        let mut rows = Vec::with_capacity(lists * fan);
        let mut there = Vec::with_capacity(lists * fan);
        for number in 0..lists {
            let list = self.list(number);
            rows.extend(list.iter().copied().chain(std::iter::repeat_n(0, fan - list.len())));
            there.extend((0..fan).map(|place| if place < list.len() { 1.0 } else { 0.0 }));
        }
        let whole = self.items.len() == rows.len();
        let read = x.select(0, index(rows.into_iter(), device)).reshape([lists, fan, width]);
        let read = if whole { read } else { read * numbers(there, [lists, fan, 1], device) };
        if fan == 1 { read.reshape([lists, width]) } else { read.sum_dim(1).reshape([lists, width]) }
    }
}

/// Rows of texts, padded to one length.
#[derive(Debug, Clone)]
pub struct Padding {
    pub texts: usize,
    pub length: usize,
    /// Nothing is padded: rows are only looked at in another shape.
    whole: bool,
    /// Row of each padded place (0 where there is none), and place of each row.
    rows: Tensor<1, Int>,
    places: Tensor<1, Int>,
    /// 1 at places that have a row, `[places, 1]`.
    there: Tensor<2>,
}

impl Padding {
    fn new(spans: &[Range<usize>], device: &Device) -> Self {
        let longest = spans.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        let whole = spans.iter().all(|span| span.len() == longest);
        let length = if whole { longest } else { longest.next_multiple_of(STEP) };
        let (mut rows, mut places, mut there) = (vec![], vec![], vec![]);
        for span in spans {
            places.extend((0..span.len()).map(|place| rows.len() + place));
            rows.extend((0..length).map(|place| if place < span.len() { span.start + place } else { 0 }));
            there.extend((0..length).map(|place| if place < span.len() { 1.0 } else { 0.0 }));
        }
        let all = rows.len();
        let (rows, places) = (index(rows.into_iter(), device), index(places.into_iter(), device));
        Self { texts: spans.len(), length, whole, rows, places, there: numbers(there, [all, 1], device) }
    }

    /// `[rows, width]` as `[texts, heads, length, d_head]`; padded places hold copies of a row.
    pub fn pad(&self, x: Tensor<2>, heads: usize) -> Tensor<4> {
        let d_head = x.dims()[1] / heads;
        let x = if self.whole { x } else { x.select(0, self.rows.clone()) };
        x.reshape([self.texts, self.length, heads, d_head]).swap_dims(1, 2)
    }

    /// Gradients of [`Self::unpad`]'s output, padded places 0.
    pub fn pad_gradient(&self, d: Tensor<2>, heads: usize) -> Tensor<4> {
        let d_head = d.dims()[1] / heads;
        let d = if self.whole { d } else { d.select(0, self.rows.clone()) * self.there.clone() };
        d.reshape([self.texts, self.length, heads, d_head]).swap_dims(1, 2)
    }

    /// The rows of texts alone, `[rows, width]`; also what [`Self::pad`]'s gradient comes to where padded places have none.
    pub fn unpad(&self, x: Tensor<4>) -> Tensor<2> {
        let [texts, heads, length, d_head] = x.dims();
        let x = x.swap_dims(1, 2).reshape([texts * length, heads * d_head]);
        if self.whole { x } else { x.select(0, self.places.clone()) }
    }
}

/// The padding of queries and keys, and what hidden keys add to scores.
#[derive(Debug, Clone)]
pub struct Layout {
    pub queries: Padding,
    pub keys: Padding,
    /// Added to scores: `[texts, 1, 1, keys]` behind a text's end, `[1, 1, queries, keys]` behind a query's own place.
    behind_end: Option<Tensor<4>>,
    behind_place: Option<Tensor<4>>,
}

impl Layout {
    pub fn new(spans: &super::Spans, device: &Device) -> Self {
        let (queries, keys) = (Padding::new(&spans.queries, device), Padding::new(&spans.keys, device));
        let hidden = |hidden: bool| if hidden { HIDDEN } else { 0.0 };
        let behind_end = (!keys.whole).then(|| {
            let values = spans.keys.iter().flat_map(|span| (0..keys.length).map(|key| hidden(key >= span.len()))).collect();
            numbers(values, [keys.texts, 1, 1, keys.length], device)
        });
        let behind_place = spans.causal.then(|| {
            let values = (0..queries.length).flat_map(|query| (0..keys.length).map(move |key| hidden(key > query))).collect();
            numbers(values, [1, 1, queries.length, keys.length], device)
        });
        Self { queries, keys, behind_end, behind_place }
    }

    /// Scores with what is hidden far below the rest.
    pub fn hide(&self, scores: Tensor<4>) -> Tensor<4> {
        let scores = match &self.behind_end {
            Some(hidden) => scores + hidden.clone(),
            None => scores,
        };
        match &self.behind_place {
            Some(hidden) => scores + hidden.clone(),
            None => scores,
        }
    }
}
