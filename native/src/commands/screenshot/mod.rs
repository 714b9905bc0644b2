//! `screenshot`: text drawn for models that read pixels.

mod ar;
mod atlas;
mod finetune;
mod glue;
mod go_on;
mod pretrain;
mod reconstruct;
mod render;

use anyhow::Result;
use clap::Subcommand;

use super::Context;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Draw a text as a model sees it; say what was drawn and what was not.
    #[command(
        after_help = "Examples:\n  vitrine screenshot render --text 'Reading is seeing.' --out strip.png\n  vitrine screenshot render --file page.txt --page 256x512 --out page.png --json\n  vitrine screenshot render --shaping --font NotoNaskhArabic-Regular.ttf --text 'مرحبا بالعالم' --out shaped.png"
    )]
    Render(render::Render),
    /// Rasterise a font into an atlas file: `render --atlas` draws with it and parses no font.
    #[command(after_help = "Example:\n  vitrine screenshot atlas --font NotoSans-Regular.ttf --out noto-sans.atlas")]
    Atlas(atlas::Atlas),
    /// Train a small model to read pictures of text: hidden patches and the undamaged text are asked of it, or what comes after a picture.
    #[command(
        after_help = "Examples:\n  vitrine screenshot pretrain --text novels.txt --set steps=1000 --out reader.safetensors\n  vitrine screenshot pretrain --text novels.txt --device cuda --set 'precision=\"bf16\"' --out reader.safetensors\n  vitrine screenshot pretrain --autoregressive --out pages.safetensors"
    )]
    Pretrain(pretrain::Pretrain),
    /// Teach a pre-trained model (or one from nothing) to tell classes of drawn texts apart.
    #[command(
        after_help = "Examples:\n  vitrine screenshot finetune --model reader.safetensors --data subjectivity/ --lr 3e-4,1e-3 --batch 32,64\n  vitrine screenshot finetune --model reader.safetensors --against other.safetensors --glue glue/RTE --seeds 5"
    )]
    Finetune(finetune::Finetune),
    /// How well a model reads: its loss with the true picture, and with the picture of another text; of an autoregressive one also after nothing and after words.
    #[command(
        after_help = "Examples:\n  vitrine screenshot perplexity --model reader.safetensors --text other.txt\n  vitrine screenshot perplexity --model pages.safetensors"
    )]
    Perplexity(pretrain::Perplexity),
    /// Let an autoregressive model go on after a picture of what came before; with --beside also after nothing, a wrong picture and words, and with what a given text costs after each.
    #[command(
        after_help = "Examples:\n  vitrine screenshot continue --model pages.safetensors --context $'lena has 7 red kites\\nomar has 2 blue maps' --prompt 'who has maps?'\n  vitrine screenshot continue --model www/models/screenshot/facts.safetensors --beside --context 'lena has 7 red kites' --other 'omar has 2 blue maps' --prompt 'what has lena?' --target '7 red kites.'\n  vitrine screenshot continue --model www/models/screenshot/facts.safetensors --beside --facts 14"
    )]
    Continue(go_on::Continue),
    /// Look into a model: hidden patches redrawn, every token with its probability, where it looks.
    #[command(
        after_help = "Examples:\n  vitrine screenshot reconstruct --model www/models/screenshot/ptp.safetensors --text 'She was very happy to see her sister again.' --out seen.png\n  vitrine screenshot reconstruct --model reader.safetensors --text 'The house was old.' --hide 3,4 --mask 2 --json"
    )]
    Reconstruct(reconstruct::Reconstruct),
}

pub fn run(command: Command, context: Context) -> Result<()> {
    match command {
        Command::Render(args) => render::run(&args, context),
        Command::Atlas(args) => atlas::run(&args, context),
        Command::Pretrain(args) => pretrain::pretrain_model(&args, context),
        Command::Finetune(args) => finetune::run(&args, context),
        Command::Continue(args) => go_on::run(&args, context),
        Command::Perplexity(args) => pretrain::perplexity(&args, context),
        Command::Reconstruct(args) => reconstruct::run(&args, context),
    }
}
