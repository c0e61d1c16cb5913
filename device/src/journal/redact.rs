//! Keeps secrets out of a line: keys by their prefix, values by the names before them, what an address
//! carries behind `?` or before `@`. It rather hides too much than too little.

use secrecy::{ExposeSecret, SecretString};

/// In the place of a secret.
const HIDDEN: &str = "…";

/// What keys of the platform begin with.
const PREFIXES: [&str; 2] = ["dcmp_", "dcmpadm_"];

/// So many letters and digits behind a prefix are a key, and behind a device's id a session token: they
/// have 32, and names have fewer.
const MIN_SECRET: usize = 20;

/// What follows one of these is a secret.
const SCHEMES: [&str; 2] = ["bearer", "basic"];

/// What a name ends with whose value is a secret.
const NAMES: [&str; 8] =
    ["token", "secret", "password", "signature", "credential", "authorization", "key", "sig"];

/// A message without secrets and without control characters.
pub(super) fn clean(message: &str, secret: Option<&SecretString>) -> String {
    let secret = secret.map(|secret| secret.expose_secret()).filter(|secret| !secret.is_empty());
    let replaced = secret.map(|secret| message.replace(secret, HIDDEN));
    let message = replaced.as_deref().unwrap_or(message);
    let mut clean = String::with_capacity(message.len());
    let mut is_value = false;
    for word in message.split_inclusive(|c: char| c.is_whitespace() || c.is_control()) {
        let text = word.trim_end_matches(|c: char| c.is_whitespace() || c.is_control());
        let is_scheme = SCHEMES.contains(&plain(text).as_str());
        if is_value && !text.is_empty() {
            clean.push_str(HIDDEN);
            is_value = is_scheme;
        } else {
            clean.push_str(&hide(text));
            is_value |= is_scheme || text.ends_with([':', '=']) && is_secret_name(text);
        }
        if text.len() < word.len() {
            clean.push(' ');
        }
    }
    clean
}

/// A word without what is secret in it.
fn hide(word: &str) -> String {
    let word = address(word);
    let word = match word.char_indices().find(|(at, c)| {
        matches!(c, ':' | '=') && *at + 1 < word.len() && is_secret_name(&word[..*at])
    }) {
        Some((at, _)) => format!("{}{HIDDEN}", &word[..=at]),
        None => word,
    };
    let word = PREFIXES.iter().fold(word, |word, prefix| behind(&word, prefix, |rest| rest));
    // `dev_ID.TOKEN`
    behind(&word, "dev_", |rest| {
        let id = letters(rest);
        rest[id..].strip_prefix('.').unwrap_or_default()
    })
}

/// An address keeps neither its query nor who asks.
fn address(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let (path, query) = match rest.split_once('?') {
        Some((path, _)) => (path, "?…"),
        None => (rest, ""),
    };
    let host = path.split('/').next().unwrap_or_default();
    let path = match host.rfind('@') {
        Some(at) => format!("{HIDDEN}{}", &path[at..]),
        None => path.to_owned(),
    };
    format!("{scheme}://{path}{query}")
}

/// Hides the letters and digits of every secret behind `prefix`; `secret` gives the rest of the word
/// from where the secret begins.
fn behind(word: &str, prefix: &str, secret: impl Fn(&str) -> &str) -> String {
    let (mut hidden, mut rest) = (String::new(), word);
    while let Some(at) = rest.find(prefix) {
        let after = &rest[at + prefix.len()..];
        let found = secret(after);
        let length = letters(found);
        // what the secret is found in is the end of what is left
        let begin = rest.len() - found.len();
        if length < MIN_SECRET {
            hidden.push_str(&rest[..at + prefix.len()]);
            rest = after;
            continue;
        }
        hidden.push_str(&rest[..begin]);
        hidden.push_str(HIDDEN);
        rest = &found[length..];
    }
    hidden + rest
}

/// How many letters, digits and what joins them a text begins with.
fn letters(text: &str) -> usize {
    text.bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        .count()
}

/// A word without what surrounds it in JSON and elsewhere, in lower case.
fn plain(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase()
}

fn is_secret_name(text: &str) -> bool {
    let name = plain(text);
    NAMES.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden() {
        let key = "dcmp_0123456789abcdefABCDEF0123456789";
        for (said, kept) in [
            (format!("key {key}, unknown"), "key dcmp_…, unknown"),
            (format!("{key}{key}"), "dcmp_…"),
            (format!("[\"{key}\",\"{key}\"]"), "[\"dcmp_…\",\"dcmp_…\"]"),
            ("dcmpadm_0123456789012345678901".to_owned(), "dcmpadm_…"),
            ("dev_12ab.0123456789abcdef0123456789 is over".to_owned(), "dev_12ab.… is over"),
            ("ws://h/ws?token=abc failed".to_owned(), "ws://h/ws?… failed"),
            ("http://me:pw@h:1/a?X-Amz-Signature=1".to_owned(), "http://…@h:1/a?…"),
            ("Authorization: Bearer abc def".to_owned(), "Authorization: … … def"),
            ("bearer abc".to_owned(), "bearer …"),
            ("\"x-api-key\": \"abc\"".to_owned(), "\"x-api-key\": …"),
            ("{\"token\":\"abc\"}".to_owned(), "{\"token\":…"),
            ("a=1&sig=abc&b=2".to_owned(), "a=1&sig=…"),
            ("password= abc".to_owned(), "password= …"),
        ] {
            assert_eq!(clean(&said, None), kept);
        }
    }

    #[test]
    fn other_words_stay() {
        for text in [
            "",
            "fetched model_0193ab@1, 12 bytes in 3 ms",
            "no connection (refused); next try in 0.5 s",
            "http://127.0.0.1:3000/api/v1/models/m/download",
            "dcmp_inference::plan: a key of dev_0193ab is at 12:30:01, dcmp_ and dev_",
            "sha256:0123456789abcdef é … 漢字",
        ] {
            assert_eq!(clean(text, None), text);
        }
        assert_eq!(clean("a\nb\u{1b}[31mc\t", None), "a b [31mc ");
    }
}
