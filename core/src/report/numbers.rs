//! Numbers, times and sizes as a reader expects them. The data blocks keep every digit; this is only how they are shown.

/// A whole number with separators: `70,651`.
pub(super) fn count(value: u64) -> String {
    group(&value.to_string())
}

/// A number with fixed digits after the point, true minus sign, separators from 10,000 on.
pub(super) fn fixed(value: f64, digits: usize) -> String {
    if value.abs() >= 1e15 {
        return scientific(value, digits.clamp(2, 6));
    }
    let text = format!("{:.*}", digits, value.abs());
    let zero = text.bytes().all(|byte| byte == b'0' || byte == b'.');
    let sign = if value < 0.0 && !zero { "−" } else { "" };
    let (whole, part) = text.split_once('.').map_or((text.as_str(), None), |(whole, part)| (whole, Some(part)));
    let whole = if whole.len() > 4 { group(whole) } else { whole.to_owned() };
    part.map_or_else(|| format!("{sign}{whole}"), |part| format!("{sign}{whole}.{part}"))
}

/// About four significant digits, without trailing zeros: for labels of bars and edges.
pub(super) fn brief(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e7).contains(&size) {
        return scientific(value, 2);
    }
    let whole_digits = size.log10().floor();
    // Between -4 and 6 by the test above, so the digits lie between 0 and 7.
    let digits = (3.0 - whole_digits).clamp(0.0, 7.0) as usize;
    let text = fixed(value, digits);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// `1.23 × 10⁻⁵`.
pub(super) fn scientific(value: f64, digits: usize) -> String {
    let text = format!("{:.*e}", digits, value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let sign = if value < 0.0 { "−" } else { "" };
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    if mantissa == "1" { format!("{sign}{}", power(exponent)) } else { format!("{sign}{mantissa} × {}", power(exponent)) }
}

fn power(exponent: &str) -> String {
    let raised = exponent.chars().map(|c| match c {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        _ => '⁹',
    });
    std::iter::once("10".to_owned()).chain(raised.map(String::from)).collect()
}

fn group(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, c) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Seconds as a reader says them: `0.42 s`, `2 min 05 s`, `3 h 10 min`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.2} s");
    }
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    if seconds >= 1e12 {
        return format!("{} s", brief(seconds));
    }
    // Below 1e12 and not negative, so exact.
    let whole = seconds.round() as u64;
    if whole < 3_600 {
        return format!("{} min {:02} s", whole / 60, whole % 60);
    }
    format!("{} h {:02} min", count(whole / 3_600), whole % 3_600 / 60)
}

/// Bytes: `512 B`, `1.25 GiB`.
pub(super) fn bytes(value: u64) -> String {
    let mut size = value as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{value} B") } else { format!("{size:.2} {unit}") }
}

/// Milliseconds since 1970 as `2026-11-23 09:15:57 UTC`. Method: days since 1970 to year, month and day by eras of 400
/// years that start in March, so that the leap day comes last (Hinnant, "chrono-compatible low-level date algorithms").
pub(super) fn date(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3_600, rest % 3_600 / 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(fixed(-1234.5, 1), "−1234.5");
        assert_eq!(fixed(70651.0, 0), "70,651");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(1e300, 3), "10³⁰⁰");
        assert_eq!(brief(0.012_345), "0.01235");
        assert_eq!(brief(-1.5), "−1.5");
        assert_eq!(brief(-2.5e-9), "−2.5 × 10⁻⁹");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(duration(125.2), "2 min 05 s");
        assert_eq!(bytes(3 << 29), "1.50 GiB");
    }

    #[test]
    fn dates_agree_with_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_795_424_557_000), "2026-11-23 09:02:37 UTC");
        assert_eq!(date(4_107_542_400_000), "2100-03-01 00:00:00 UTC");
        let _ = date(u64::MAX);
    }
}
