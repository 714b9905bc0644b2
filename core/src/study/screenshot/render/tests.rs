//! Properties of pictures, and the hashes of twenty.

use super::{bitmaps::Bitmaps, *};

fn strip(patches: u32) -> Renderer {
    Renderer::bundled(RenderConfig::strip(patches)).unwrap()
}

/// Twenty texts, each with the size of its picture's kind and what the picture hashes to: 0 is a strip, 1 a page with line breaks, 2 mono.
const HASHES: [(u8, &str, &str); 20] = [
    (0, "", "bf330700b3f435a2285c162a3de7eec4082d77ff99d5ec6886f8b46d20c06573"),
    (0, "Reading is seeing.", "72b7b1fef65d0d1916d26a81eb583b760f1daf0d395088baf5eae1815d9e3461"),
    (0, "Beginning of the sequence: it was a bright morning", "e1d44aebce0e93e30848e8f924afdd4adeab16c0e8a0bd2d6a22b7be7ab27a22"),
    (0, "ÀÉî ñ ß œ Ångström", "1ec60821dfb30fd3f0e23f03c8274df6f2b6dbb68599f47d7bad1ba63a94ec75"),
    (0, "e\u{301} n\u{303} a\u{308}", "c197e19d53f66adf105dadb5db391e63c66a8a05a9c41517069a1fa5631b001e"),
    (0, "snake_case_name, gjpqy", "bcb6187c7e7a6094b1298069299a2c754ed90cdb10e88ed50585d9589e9d394f"),
    (0, "Ελληνικά Привет", "87af4460a8080f9a7e16e3e1bb5e017e9064e81f9dad028f3a415a0703860a16"),
    (0, "你好，世界", "dd88a879bc06bbd5412ba7974d37d3d80706594f473f977fedb0e08452373e5f"),
    (0, "שלום (עולם)", "fde5c53b6560c970378db0979d83c6c009fe5ce32cdeeb68bc5c9df6461b2c58"),
    (0, "abc אבג 123", "ea3db02a1de0fdd2d4fddaf324911fc8d6748fc60a2f7b43620e5ab51daa8c44"),
    (0, "\u{1f600} \u{e000}", "7b1f0261cbe8b773a48f5c0759adde83e03609517774eb6337c69e08d9247a4e"),
    (0, "a\tb\r\nc\n\nd", "6d6ad80f14b67ca3afaa3c890ccb5e3e14ad5f12478c19acc8c0016a640057e0"),
    (
        1,
        "One line,\nanother line that is long enough to be wrapped at a space,\nand donaudampfschifffahrtsgesellschaftskapitaen",
        "0d3e8935271581e24b10f3371b87110ac9292cda38465f1e92c5b35913676b5c",
    ),
    (1, "नमस्ते\nمرحبا\nhello", "fda2b9060ae4706ace7aeb2a5ea06c15255251af90563a73859dc48db6833803"),
    (1, "0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "c4a86193645c9c37208cac9dd29f88871938e2dc64e26166e5a50e0c5d2e6ced"),
    (1, "", "836625830f9cda3f7cbcb0962078d6f629d787edd247367b4550108df1b397ad"),
    (2, "two letters a patch", "abb774565536084e2bbfe8b460cab2bcc51e37999234546bb37dd14b5022f3f9"),
    (2, "宽 and narrow", "f0bf435db703196b7b0e0e66530ff97a6bbb2d84175472295e33b483ff07b2a9"),
    (2, "The<mask> fox", "4c3cb0df3df75c396e5e1aad282dc6b1e356a11996afdf48c2cda931742aa99d"),
    (
        2,
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "794ed99d34a24ede9e37c1b2b3af7a4b0dd9fe526890dfd6e25742466fa6c017",
    ),
];

/// The same pictures natively and in a page (tests/wasm), whatever the machine and the threads.
#[test]
fn twenty_pictures_are_the_known_ones() {
    let page = RenderConfig { newline: Newline::Break, ..RenderConfig::page(64, 160) };
    let kinds = [RenderConfig::strip(40), page, RenderConfig::mono(40)].map(|config| Renderer::bundled(config).unwrap());
    let found: Vec<String> = HASHES.iter().map(|(kind, text, _)| kinds[usize::from(*kind)].render(text).unwrap().hash()).collect();
    let listed: Vec<&str> = HASHES.iter().map(|(_, _, hash)| *hash).collect();
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
    for found in golden::cases(&lines).unwrap() {
        assert!(found.passed(), "{found}");
    }
    let failing = r#"{"name": "x", "text": "hello", "expect": {"missing": 1, "what": 2}}"#;
    assert_eq!(golden::cases(failing).unwrap()[0].agree, 0, "a wrong or unknown expectation fails");
    assert!(golden::cases("{").is_err());
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
