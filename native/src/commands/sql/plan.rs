//! `sql plan`: a query's shape, template and slots.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use vitrine_logical_beam::sql::{
    plan::Plan,
    statement::one_select,
    template::{SchemaWords, templatise},
};

use super::Source;
use crate::commands::{Context, print_json};

#[derive(Debug, Args)]
pub struct Plans {
    sql: String,
    #[command(flatten)]
    source: Source,
}

pub fn run(args: &Plans, context: Context) -> Result<()> {
    let schema = args.source.read()?;
    one_select(&args.sql)?;
    let (plan, template) = (Plan::of(&args.sql), templatise(&args.sql, &SchemaWords::new(&schema)));
    if context.json {
        return print_json(&json!({"schema": "vitrine.sql-plan/1", "plan": plan, "template": template.text, "values": template.values,
            "counterfactuals": plan.counterfactuals()}));
    }
    println!("plan      {plan}");
    println!("template  {}", template.text);
    for (slot, value) in &template.values {
        println!("{:<9} {value}", slot.word());
    }
    Ok(())
}
