//! `screenshot`: text drawn for models that read pixels.

mod atlas;
mod render;

use anyhow::Result;
use clap::Subcommand;

use super::Context;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Draw a text as a model sees it; say what was drawn and what was not.
    #[command(
        after_help = "Examples:\n  vitrine screenshot render --text 'Reading is seeing.' --out strip.png\n  vitrine screenshot render --file page.txt --page 256x512 --out page.png --json"
    )]
    Render(render::Render),
    /// Rasterise a font into an atlas file: `render --atlas` draws with it and parses no font.
    #[command(after_help = "Example:\n  vitrine screenshot atlas --font NotoSans-Regular.ttf --out noto-sans.atlas")]
    Atlas(atlas::Atlas),
}

pub fn run(command: Command, context: Context) -> Result<()> {
    match command {
        Command::Render(args) => render::run(&args, context),
        Command::Atlas(args) => atlas::run(&args, context),
    }
}
