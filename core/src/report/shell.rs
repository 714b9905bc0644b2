//! A command as one line that a shell reads back to the same arguments.
//!
//! What is shown must be what is run: characters that cannot be seen, or that turn the reading direction, could make a
//! command look like another one. Arguments that hold such characters are written in `$'…'` with octal escapes, which
//! are visible and exact in any locale; all others as they are, in single quotes where a shell would read them otherwise.

use super::text::{is_hidden, is_mark};

/// Quotes a command for a POSIX shell (with `$'…'`, as in bash, zsh and POSIX 2024).
#[must_use]
pub fn quote_command(arguments: &[String]) -> String {
    arguments.iter().map(|argument| quote(argument)).collect::<Vec<_>>().join(" ")
}

fn quote(argument: &str) -> String {
    let hidden = |c: char| c.is_control() || is_hidden(c) || is_mark(c) || matches!(c, '\u{200c}' | '\u{200d}');
    if argument.chars().any(hidden) {
        let mut out = String::from("$'");
        for c in argument.chars() {
            match c {
                '\'' | '\\' => {
                    out.push('\\');
                    out.push(c);
                }
                _ if hidden(c) => {
                    let mut buffer = [0u8; 4];
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        out.push_str(&format!("\\{byte:03o}"));
                    }
                }
                _ => out.push(c),
            }
        }
        out.push('\'');
        return out;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./,:@%+=".contains(&byte);
    // A leading `=` means a path look-up to zsh, a leading `-` is the program's own business.
    if !argument.is_empty() && argument.bytes().all(plain) && !argument.starts_with('=') {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_a_shell_would_read_otherwise() {
        let words = |list: &[&str]| quote_command(&list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&["vitrine", "run", "--set", "a.b=1"]), "vitrine run --set a.b=1");
        assert_eq!(words(&["a b", "it's", "", "$HOME", "*"]), "'a b' 'it'\\''s' '' '$HOME' '*'");
        assert_eq!(words(&["a\u{202e}b'\n"]), "$'a\\342\\200\\256b\\'\\012'");
    }
}
