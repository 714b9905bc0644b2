//! Strict match: two queries are the same when they say the same, values and join conditions included.
//!
//! The answer to what users find wrong with exact-set match. Both queries are read by a full SQL grammar and brought to one form: aliases become their tables, each in its own
//! scope; a column without a table gets the first table of its scope that has it; aliases of select items are dropped; conditions of inner joins and WHERE are one set; what
//! commutes is sorted, `>` is turned into `<`. Then the forms are compared. DISTINCT, values, limits and the direction of each sorted column count; the order of select items
//! and of joins does not. A double-quoted word is a column where there is one of that name, else text, as in `SQLite`.

use sqlparser::{
    ast::{
        BinaryOperator, Distinct, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, JoinConstraint,
        JoinOperator, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TableFactor, UnaryOperator, Value,
    },
    dialect::SQLiteDialect,
    parser::Parser,
    tokenizer::Tokenizer,
};
use thiserror::Error;

use super::names::Names;

/// Most tokens of a query: a chain of operators nests as deep as it is long.
pub const MOST_TOKENS: usize = 1_500;
/// Deepest nesting of brackets.
const DEEPEST: usize = 40;

/// Why a query has no strict form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StrictError {
    #[error("the query has {tokens} tokens; at most {MOST_TOKENS} are read")]
    TooLong { tokens: usize },
    #[error("not one SELECT: {0}")]
    Unreadable(String),
}

/// Whether two queries are strictly the same on the database of `names`. A prediction that cannot be read is wrong.
///
/// # Errors
/// When gold cannot be read.
pub fn same(gold: &str, prediction: &str, names: &Names) -> Result<bool, StrictError> {
    let gold = form(gold, names)?;
    Ok(form(prediction, names).is_ok_and(|prediction| prediction == gold))
}

/// The one form of a query.
///
/// # Errors
/// When it is too long or not one SELECT.
pub fn form(sql: &str, names: &Names) -> Result<String, StrictError> {
    let unreadable = |what: String| StrictError::Unreadable(what.lines().next().unwrap_or_default().chars().take(200).collect());
    if sql.len() > super::tokens::LONGEST {
        return Err(StrictError::TooLong { tokens: sql.len() });
    }
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql).tokenize_with_location().map_err(|error| unreadable(error.to_string()))?;
    if tokens.len() > MOST_TOKENS {
        return Err(StrictError::TooLong { tokens: tokens.len() });
    }
    let parser = Parser::new(&SQLiteDialect {}).with_recursion_limit(DEEPEST).with_tokens_with_locations(tokens);
    let statements = { parser }.parse_statements().map_err(|error| unreadable(error.to_string()))?;
    match statements.as_slice() {
        [Statement::Query(query)] => Ok(Scope { tables: Vec::new(), outputs: Vec::new(), outer: None, names }.query(query)),
        _ => Err(unreadable("there is another statement".into())),
    }
}

/// A table of FROM.
struct Table {
    alias: String,
    /// Under which it stands in the form: its name, numbered where it occurs more than once.
    label: String,
    /// Its name, when it is no query.
    name: Option<String>,
}

/// What names mean in one SELECT, with the ones around it.
struct Scope<'a> {
    tables: Vec<Table>,
    /// Aliases of select items and what they stand for.
    outputs: Vec<(String, String)>,
    outer: Option<&'a Scope<'a>>,
    names: &'a Names,
}

fn sorted(mut items: Vec<String>, between: &str) -> String {
    items.sort();
    items.join(between)
}

fn lower(ident: &Ident) -> String {
    ident.value.to_lowercase()
}

impl Scope<'_> {
    fn inside(&self) -> Scope<'_> {
        Scope { tables: Vec::new(), outputs: Vec::new(), outer: Some(self), names: self.names }
    }

    fn query(&self, query: &Query) -> String {
        if query.with.is_some() {
            return query.to_string().to_lowercase();
        }
        let mut scope = self.inside();
        let mut form = scope.body(&query.body);
        if let Some(order) = &query.order_by {
            let by = match &order.kind {
                OrderByKind::Expressions(by) => by
                    .iter()
                    .map(|by| format!("{}{}", scope.expression(&by.expr), by.options).replace(" ASC", ""))
                    .collect::<Vec<_>>()
                    .join(", "),
                OrderByKind::All(_) => "all".into(),
            };
            form = format!("{form} order by {by}");
        }
        if let Some(limit) = &query.limit_clause {
            form = format!("{form}{}", limit.to_string().to_lowercase());
        }
        form
    }

    /// A SELECT or a set operation; the names of the former are known to the clauses behind it.
    fn body(&mut self, body: &SetExpr) -> String {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => format!("({})", self.query(query)),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let quantifier = set_quantifier.to_string().to_lowercase();
                let sides = [left, right].map(|side| self.outer.map_or_else(|| self.inside(), Scope::inside).body(side));
                format!("({}) {} {quantifier} ({})", sides[0], op.to_string().to_lowercase(), sides[1])
            }
            other => other.to_string().to_lowercase(),
        }
    }

    fn select(&mut self, select: &Select) -> String {
        for source in &select.from {
            self.add(&source.relation);
            for join in &source.joins {
                self.add(&join.relation);
            }
        }
        let mut conditions = Vec::new();
        for join in select.from.iter().flat_map(|source| &source.joins) {
            let (how, constraint) = match &join.join_operator {
                JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::CrossJoin(on) => ("", on),
                JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => ("left ", on),
                JoinOperator::Right(on) | JoinOperator::RightOuter(on) => ("right ", on),
                JoinOperator::FullOuter(on) => ("full ", on),
                other => {
                    conditions.push(format!("{other:?}"));
                    continue;
                }
            };
            match constraint {
                JoinConstraint::On(on) if how.is_empty() => self.conjuncts(on, &mut conditions),
                JoinConstraint::On(on) => {
                    conditions.push(format!("{how}{} on {}", join.relation.to_string().to_lowercase(), self.expression(on)));
                }
                JoinConstraint::None if how.is_empty() => {}
                other => conditions.push(format!("{how}{} {other:?}", join.relation.to_string().to_lowercase())),
            }
        }
        if let Some(filter) = &select.selection {
            self.conjuncts(filter, &mut conditions);
        }
        let mut items = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expression) => items.push(self.expression(expression)),
                SelectItem::ExprWithAlias { expr, alias } => {
                    let form = self.expression(expr);
                    self.outputs.push((lower(alias), form.clone()));
                    items.push(form);
                }
                SelectItem::Wildcard(_) => items.push("*".into()),
                other => items.push(self.star(&other.to_string().to_lowercase())),
            }
        }
        let distinct = match &select.distinct {
            None | Some(Distinct::All) => "",
            Some(_) => "distinct ",
        };
        let labels = self.tables.iter().map(|table| table.label.clone()).collect();
        let mut form = format!("select {distinct}[{}] from [{}]", sorted(items, ", "), sorted(labels, ", "));
        if !conditions.is_empty() {
            form = format!("{form} where [{}]", sorted(conditions, " and "));
        }
        match &select.group_by {
            GroupByExpr::Expressions(by, _) if by.is_empty() => {}
            GroupByExpr::Expressions(by, _) => {
                form = format!("{form} group by [{}]", sorted(by.iter().map(|by| self.expression(by)).collect(), ", "));
            }
            GroupByExpr::All(_) => form.push_str(" group by all"),
        }
        if let Some(having) = &select.having {
            let mut conditions = Vec::new();
            self.conjuncts(having, &mut conditions);
            form = format!("{form} having [{}]", sorted(conditions, " and "));
        }
        form
    }

    fn add(&mut self, factor: &TableFactor) {
        let (alias, name, label) = match factor {
            TableFactor::Table { name, alias, .. } => {
                let name = name.0.last().and_then(|part| part.as_ident()).map_or_else(|| name.to_string().to_lowercase(), lower);
                (alias, Some(name.clone()), name)
            }
            TableFactor::Derived { subquery, alias, .. } => (alias, None, format!("({})", self.query(subquery))),
            other => (&None, None, other.to_string().to_lowercase()),
        };
        let before = self.tables.iter().filter(|table| table.label == label || table.label.starts_with(&format!("{label}#"))).count();
        let alias = alias.as_ref().map(|alias| lower(&alias.name)).or_else(|| name.clone()).unwrap_or_default();
        self.tables.push(Table { alias, name, label: if before == 0 { label } else { format!("{label}#{}", before + 1) } });
    }

    fn chain(&self) -> impl Iterator<Item = &Scope<'_>> {
        std::iter::successors(Some(self), |scope| scope.outer)
    }

    fn table(&self, alias: &str) -> Option<&str> {
        self.chain().flat_map(|scope| &scope.tables).find(|table| table.alias == alias).map(|table| table.label.as_str())
    }

    fn star(&self, text: &str) -> String {
        match text.split_once('.') {
            Some((alias, rest)) => format!("{}.{rest}", self.table(alias).unwrap_or(alias)),
            None => text.to_owned(),
        }
    }

    /// A column without a table: of the first table that has it, in this scope or around it.
    fn owned(&self, column: &str) -> Option<String> {
        self.chain().find_map(|scope| {
            let has = |table: &&Table| table.name.as_ref().is_some_and(|name| self.names.column(name, column).is_some());
            let output = || scope.outputs.iter().find(|(alias, _)| alias == column).map(|(_, form)| form.clone());
            scope.tables.iter().find(has).map(|table| format!("{}.{column}", table.label)).or_else(output)
        })
    }

    fn conjuncts(&self, expression: &Expr, out: &mut Vec<String>) {
        self.operands(expression, &BinaryOperator::And, out);
    }

    /// What `by` joins, however nested.
    fn operands(&self, expression: &Expr, by: &BinaryOperator, out: &mut Vec<String>) {
        match expression {
            Expr::Nested(inner) => self.operands(inner, by, out),
            Expr::BinaryOp { left, op, right } if op == by => {
                self.operands(left, by, out);
                self.operands(right, by, out);
            }
            other => out.push(self.expression(other)),
        }
    }

    fn expression(&self, expression: &Expr) -> String {
        let not = |negated: bool| if negated { "not " } else { "" };
        match expression {
            Expr::Nested(inner) => self.expression(inner),
            Expr::Identifier(ident) => {
                let column = lower(ident);
                let text = || if ident.quote_style == Some('"') { format!("'{}'", ident.value) } else { column.clone() };
                self.owned(&column).unwrap_or_else(text)
            }
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] => {
                    let table = lower(table);
                    format!("{}.{}", self.table(&table).unwrap_or(&table), lower(column))
                }
                _ => expression.to_string().to_lowercase(),
            },
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => format!("'{text}'"),
                Value::Number(number, _) => number.clone().parse::<f64>().map_or_else(|_| number.clone(), |number| number.to_string()),
                other => other.to_string().to_lowercase(),
            },
            Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } => {
                let mut parts = Vec::new();
                self.operands(expression, op, &mut parts);
                format!("({})", sorted(parts, if *op == BinaryOperator::And { " and " } else { " or " }))
            }
            Expr::BinaryOp { left, op, right } => {
                let (left, right) = (self.expression(left), self.expression(right));
                let commutes = matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq | BinaryOperator::Plus | BinaryOperator::Multiply);
                match op {
                    BinaryOperator::Gt => format!("({right} < {left})"),
                    BinaryOperator::GtEq => format!("({right} <= {left})"),
                    _ if commutes => format!("({})", sorted(vec![left, right], &format!(" {op} "))),
                    _ => format!("({left} {op} {right})"),
                }
            }
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => format!("not ({})", self.expression(expr)),
            Expr::UnaryOp { op, expr } => format!("{op}{}", self.expression(expr)),
            Expr::Between { expr, negated, low, high } => {
                format!("({} {}between {} and {})", self.expression(expr), not(*negated), self.expression(low), self.expression(high))
            }
            Expr::InList { expr, list, negated } => {
                let list = list.iter().map(|item| self.expression(item)).collect();
                format!("({} {}in [{}])", self.expression(expr), not(*negated), sorted(list, ", "))
            }
            Expr::InSubquery { expr, subquery, negated } => {
                format!("({} {}in ({}))", self.expression(expr), not(*negated), self.query(subquery))
            }
            Expr::Exists { subquery, negated } => format!("{}exists ({})", not(*negated), self.query(subquery)),
            Expr::Subquery(subquery) => format!("({})", self.query(subquery)),
            Expr::Like { negated, expr, pattern, escape_char: None, .. } => {
                format!("({} {}like {})", self.expression(expr), not(*negated), self.expression(pattern))
            }
            Expr::IsNull(inner) => format!("({} is null)", self.expression(inner)),
            Expr::IsNotNull(inner) => format!("({} is not null)", self.expression(inner)),
            Expr::Function(function) => self.function(function),
            other => other.to_string().to_lowercase(),
        }
    }

    fn function(&self, function: &Function) -> String {
        let FunctionArguments::List(list) = &function.args else { return function.to_string().to_lowercase() };
        if function.over.is_some() || function.filter.is_some() {
            return function.to_string().to_lowercase();
        }
        let argument = |argument: &FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => self.expression(expression),
            other => self.star(&other.to_string().to_lowercase()),
        };
        let distinct = list.duplicate_treatment.as_ref().map_or(String::new(), |treatment| format!("{treatment} ").to_lowercase());
        let arguments: Vec<String> = list.args.iter().map(argument).collect();
        format!("{}({distinct}{})", function.name.to_string().to_lowercase(), arguments.join(", "))
    }
}

#[cfg(test)]
mod tests;
