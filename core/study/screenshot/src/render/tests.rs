//! Properties of pictures, and the hashes of twenty.

use super::{bitmaps::Bitmaps, *};

fn strip(patches: u32) -> Renderer {
    Renderer::bundled(RenderConfig::strip(patches)).unwrap()
}

/// Twenty texts, each with its kind of picture and what that hashes to; tests/wasm draws the same in a page's WebAssembly.
const HASHES: &str = include_str!("hashes.json");

#[derive(serde::Deserialize)]
struct Known {
    kind: Kind,
    text: String,
    hash: String,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// 40 patches.
    Strip,
    /// 64 x 160 pixels, with line breaks.
    Page,
    /// 40 patches of two letters.
    Mono,
}

/// The same pictures natively and in a page (tests/wasm/studio.test.mjs), whatever the machine and the threads.
#[test]
fn twenty_pictures_are_the_known_ones() {
    let page = RenderConfig { newline: Newline::Break, ..RenderConfig::page(64, 160) };
    let kinds = [RenderConfig::strip(40), page, RenderConfig::mono(40)].map(|config| Renderer::bundled(config).unwrap());
    let known: Vec<Known> = serde_json::from_str(HASHES).unwrap();
    assert_eq!(known.len(), 20);
    let found: Vec<String> = known.iter().map(|one| kinds[one.kind as usize].render(&one.text).unwrap().hash()).collect();
    let listed: Vec<&str> = known.iter().map(|one| &*one.hash).collect();
    assert_eq!(found, listed, "pictures changed; models that learned the old ones will not read these");
}

#[test]
fn the_atlas_is_what_the_font_gives() {
    let fresh = Bitmaps::rasterise(bundled::NOTO_SANS, config::FONT_PX).unwrap();
    assert_eq!(fresh.map.len(), 2840);
    assert!(fresh == atlas::read(bundled::NOTO_SANS_ATLAS).unwrap(), "write it anew: vitrine screenshot atlas");
    assert!(atlas::read(&atlas::write(&fresh)).unwrap() == fresh);
}

#[test]
fn damaged_packed_glyphs_are_refused() {
    for cut in [0, 7, 8, 100, 10_000] {
        assert!(matches!(atlas::read(&bundled::NOTO_SANS_ATLAS[..cut]), Err(RenderError::BadPacked { .. })), "{cut}");
        assert!(matches!(unifont::Unifont::read(&bundled::UNIFONT[..cut]), Err(RenderError::BadPacked { .. })), "{cut}");
    }
    assert!(matches!(Bitmaps::rasterise(b"not a font", 12.0), Err(RenderError::BadFont { .. })));
    assert!(unifont::Unifont::read(bundled::UNIFONT).unwrap().width('你') == Some(16));
}

#[test]
fn sizes_that_cannot_be_drawn_name_the_value() {
    let of = |config: RenderConfig| config.check().unwrap_err().to_string();
    let ok = RenderConfig::default();
    assert_eq!(of(RenderConfig { width: 0, ..ok.clone() }), "the width is 0; a picture needs at least one pixel each way");
    assert_eq!(of(RenderConfig { height: 0, ..ok.clone() }), "the height is 0; a picture needs at least one pixel each way");
    assert!(of(RenderConfig { width: 100, ..ok.clone() }).contains("100 is not a multiple of the patch's 16"));
    assert!(of(RenderConfig { width: u32::MAX, height: u32::MAX, ..ok.clone() }).contains("too large"));
    assert!(of(RenderConfig { height: 8, patch_height: 8, ..ok.clone() }).contains("not one line fits"));
    assert!(of(RenderConfig { font_px: f32::NAN, ..ok.clone() }).contains("size of text"));
    assert!(of(RenderConfig { baseline: 17, ..ok }).contains("baseline"));
}

#[test]
fn empty_text_is_white_but_for_the_end_marker() {
    let picture = strip(4).render("").unwrap();
    assert_eq!((picture.report.rendered_bytes, picture.report.end_patch, picture.report.attended), (0, 0, 1));
    assert!(picture.report.all_rendered && !picture.report.ink);
    assert!((0..4).all(|patch| picture.is_white(patch) == (patch > 0)));
    assert_eq!(&picture.patches_f32()[..256], &[0.0; 256]);
    let bare = Renderer::bundled(RenderConfig { end_marker: false, ..RenderConfig::strip(4) }).unwrap().render("").unwrap();
    assert!(bare.pixels.iter().all(|&v| v == 255) && bare.report.attended == 0);
}

/// Golden "full": without a white patch left, the last one is overwritten.
#[test]
fn a_full_strip_ends_black() {
    let picture = strip(4).render("m".repeat(100)).unwrap();
    assert_eq!((picture.report.end_patch, picture.report.attended), (4, 4));
    assert!(picture.patches_f32()[3 * 256..].iter().all(|&v| v == 0.0));
    assert!(!picture.report.all_rendered && picture.report.rendered_bytes < 10);
}

/// Model input is `byte / 255` in the order patch, row, column.
#[test]
fn patches_are_cut_row_by_row() {
    let picture = Renderer::bundled(RenderConfig::page(32, 48)).unwrap().render("Hg gH Hg gH").unwrap();
    let patches = picture.patches_f32();
    for (at, &value) in patches.iter().enumerate() {
        let (patch, row, column) = (at / 256, at % 256 / 16, at % 16);
        let (y, x) = (patch / 3 * 16 + row, patch % 3 * 16 + column);
        assert_eq!(value, f32::from(picture.pixels[y * 48 + x]) / 255.0);
    }
}

#[test]
fn bytes_under_patches_follow_the_text() {
    let text = "née Ω abc";
    let picture = Renderer::bundled(RenderConfig::mono(10)).unwrap().render(text).unwrap();
    // n é | e _ | Ω _ | a b | c
    assert_eq!(&picture.bytes_under[..6], &[[0, 3], [3, 5], [5, 8], [8, 10], [10, 11], [0, 0]]);
    // A cluster that normal form C joins keeps all its bytes; a prefix has none.
    let prefixed = Renderer::bundled(RenderConfig { prefix: "ab".into(), ..RenderConfig::mono(10) }).unwrap();
    assert_eq!(&prefixed.render("e\u{301}x").unwrap().bytes_under[..3], &[[0, 0], [0, 4], [0, 0]]);
}

#[test]
fn lines_end_at_spaces_and_long_words_at_the_edge() {
    let page = |text: &str| {
        Renderer::bundled(RenderConfig { style: Style::Mono, newline: Newline::Break, ..RenderConfig::page(48, 64) })
            .unwrap()
            .render(text)
            .unwrap()
    };
    let alike = |a: &str, b: &str| assert!(page(a).pixels == page(b).pixels, "{a:?} and {b:?}");
    // Eight cells a line.
    alike("one two three", "one two\nthree");
    alike("abcdefgh ij", "abcdefgh\nij");
    alike("ab cdefghijklm", "ab cdefg\nhijklm");
    assert_eq!(page("a\n\nb").report.lines, 3);
    let cut = page("aaaaaaaa bbbbbbbb cccccccc dddddddd");
    assert_eq!((cut.report.rendered_bytes, cut.report.all_rendered, cut.report.lines), (27, false, 3));
}

#[test]
fn right_to_left_letters_stand_in_visual_order() {
    let mono = Renderer::bundled(RenderConfig::mono(20)).unwrap();
    let same = |logical: &str, visual: &str| {
        let bare = Renderer::bundled(RenderConfig { lossy: true, ..RenderConfig::mono(20) }).unwrap();
        // Forced from left to right, letter by letter.
        let forced: String = visual.chars().flat_map(|c| ['\u{202d}', c, '\u{202c}']).collect();
        assert!(mono.render(logical).unwrap().pixels == bare.render(forced).unwrap().pixels, "{logical}");
    };
    same("abc אבג 123", "abc 123 גבא");
    same("(אב)", "(בא)");
    same("אב, גד", "דג ,בא");
    assert_eq!(mono.render("אב x גד").unwrap().report.rtl_runs, 1, "a right-to-left paragraph");
    assert_eq!(mono.render("x אב y גד").unwrap().report.rtl_runs, 2);
    assert!(!mono.render("مرحبا").unwrap().report.shaped);
}

#[test]
fn pairs_are_parted_by_black_patches() {
    let renderer = strip(40);
    let mut picture = Screenshot::default();
    let mut scratch = Scratch::default();
    renderer.render_pair(b"first", b"second", &mut scratch, &mut picture).unwrap();
    let black = |patch: usize| picture.patches_f32()[patch * 256..][..256].iter().all(|&v| v == 0.0);
    let ends: Vec<usize> = (0..40).filter(|&patch| black(patch)).collect();
    assert_eq!(ends.len(), 2);
    assert_eq!((picture.report.attended, picture.report.all_rendered, picture.report.rendered_bytes), (ends[1] + 1, true, 11));
    // The second text is drawn as it is alone, one patch further.
    let alone = renderer.render("second").unwrap().patches_f32();
    let second = &picture.patches_f32()[(ends[0] + 1) * 256..ends[1] * 256];
    assert_eq!(second, &alone[..second.len()]);
    assert_eq!(picture.bytes_under[ends[0] + 1][0], 5);
    renderer.render_pair("long ".repeat(100).as_bytes(), b"short", &mut scratch, &mut picture).unwrap();
    // The first text ends at a word; the second and both marks still have room.
    assert!((30..=40).contains(&picture.report.attended) && !picture.report.all_rendered);
    assert_eq!(picture.bytes_under.iter().map(|under| under[1]).max(), Some(505));
    let page = Renderer::bundled(RenderConfig::page(32, 256)).unwrap();
    assert!(matches!(page.render_pair(b"a", b"b", &mut scratch, &mut picture), Err(RenderError::NoRoomForPair { rows: 2, .. })));
}

/// Nothing of one picture is left in the next.
#[test]
fn reused_memory_is_clean() {
    let renderer = strip(40);
    let (mut scratch, mut picture) = (Scratch::default(), Screenshot::default());
    for text in ["long text \u{e000} שלום", "", "x\u{0}", "你好", "plain"] {
        renderer.render_into(text.as_bytes(), &mut scratch, &mut picture).unwrap();
        assert!(picture == renderer.render(text).unwrap(), "{text}");
    }
}

#[test]
fn glyphs_allocate_nothing_once_warm() {
    let renderer = strip(60);
    let (mut scratch, mut picture) = (Scratch::default(), Screenshot::default());
    let mut allocations =
        |text: &str| allocation_counter::measure(|| renderer.render_into(text.as_bytes(), &mut scratch, &mut picture).unwrap()).count_total;
    assert!(allocations(&"Zoë was 你好. ".repeat(9)) > 0, "the first picture needs memory");
    for text in ["Zoë was 你好. ".repeat(9), "plain".into(), String::new()] {
        assert_eq!(allocations(&text), 0, "{text}");
    }
    // The order of a right-to-left text and the list of what is missing are made for each text, not for each glyph.
    for [few, many] in [["שלום ".repeat(3), "שלום ".repeat(24)], ["\u{e000} ".repeat(3), "\u{e000} ".repeat(24)]] {
        allocations(&many);
        assert!(allocations(&many) < allocations(&few) + 24, "{few}");
    }
}

#[test]
fn fonts_differ_by_hash() {
    let hash = |config: RenderConfig| Renderer::bundled(config).unwrap().font_hash();
    let ok = RenderConfig::strip(2);
    let all =
        [ok.clone(), RenderConfig { font_px: 11.0, ..ok.clone() }, RenderConfig { one_bit: true, ..ok.clone() }, RenderConfig::mono(2)]
            .map(hash);
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    assert_eq!(all[0], hash(RenderConfig::strip(9)), "the font is the same whatever the picture's size");
}

#[test]
fn random_bytes_are_drawn_or_refused() {
    let found = trial::random_texts(0, 3000, 1).unwrap();
    assert_eq!((found.drawn, found.wrong), (3000, 0), "{:?}", found.examples);
    assert!((100..2900).contains(&found.refused));
}

#[test]
fn render_cases_agree() {
    let Some(folder) = std::env::var_os("VITRINE_DATA") else { return eprintln!("skipped: VITRINE_DATA not set") };
    let lines = std::fs::read_to_string(std::path::Path::new(&folder).join("screenshot/render_cases.jsonl")).unwrap();
    for found in golden::cases(&lines, &FontSources::bundled()).unwrap() {
        assert!(found.passed(), "{found}");
    }
    let failing = r#"{"name": "x", "text": "hello", "expect": {"missing": 1, "what": 2}}"#;
    assert_eq!(golden::cases(failing, &FontSources::bundled()).unwrap()[0].agree, 0, "a wrong or unknown expectation fails");
    assert!(golden::cases("{", &FontSources::bundled()).is_err());
}

#[test]
fn png_holds_the_pixels() {
    let picture = strip(3).render("pixel").unwrap();
    let bytes = png::grey(&picture.pixels, picture.width, picture.height).unwrap();
    let mut reader = ::png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert!(pixels == picture.pixels);
}
