//! What BLEU counts as a word.

use std::borrow::Cow;

/// How a sentence is divided into words before they are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BleuTokenization {
    /// As NIST's mteval-v13a, sacrebleu's default: punctuation and symbols of ASCII are words of
    /// their own, except for dots and commas within numbers, and hyphens and apostrophes within
    /// words. Four entities of HTML are the characters they stand for.
    #[default]
    V13a,
    /// Words are what white space separates. For text that is already tokenized.
    None,
}

impl BleuTokenization {
    /// The name in a [signature](super::BleuConfig::signature).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V13a => "13a",
            Self::None => "none",
        }
    }

    /// A sentence with white space between its words.
    pub(super) fn spaced(self, sentence: &str) -> Cow<'_, str> {
        // sacrebleu strips the end before anything else, so that no hyphen meets a line end there.
        let sentence = sentence.trim_end_matches(is_space);
        match self {
            Self::V13a => v13a(sentence).into(),
            Self::None => sentence.into(),
        }
    }
}

/// What white space separates.
pub(super) fn words(spaced: &str) -> Vec<&str> {
    let words = spaced.split(is_space).filter(|word| !word.is_empty());
    words.collect()
}

/// White space as Python sees it, and thus sacrebleu: Unicode's and the four separators of ASCII.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&character)
}

/// Puts blanks around the words of mteval-v13a.
///
/// The rules are substitutions that each go through the whole line, one after the other, and the
/// outcome depends on that: each sees the blanks that those before it made, and none looks twice at
/// a character within one pass.
fn v13a(sentence: &str) -> String {
    let mut line = sentence.replace("<skipped>", "").replace("-\n", "");
    line = line.replace('\n', " ");
    for (entity, character) in [
        ("&quot;", "\""),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ] {
        line = line.replace(entity, character);
    }
    let mut spaced = String::from(" ");
    for character in line.chars() {
        match is_symbol(character) {
            true => spaced.extend([' ', character, ' ']),
            false => spaced.push(character),
        }
    }
    spaced.push(' ');
    let digit = |c: char| c.is_ascii_digit();
    let point = |c: char| matches!(c, '.' | ',');
    let spaced = substitute(
        &spaced,
        |a, b| !digit(a) && point(b),
        |a, b| [a, ' ', b, ' '],
    );
    let spaced = substitute(
        &spaced,
        |a, b| point(a) && !digit(b),
        |a, b| [' ', a, ' ', b],
    );
    substitute(
        &spaced,
        |a, b| digit(a) && b == '-',
        |a, b| [a, ' ', b, ' '],
    )
}

/// The symbols of ASCII that are always words of their own; not `'`, `,`, `-` and `.`.
fn is_symbol(character: char) -> bool {
    matches!(character, '!'..='&' | '('..='+' | '/' | ':'..='@' | '['..='`' | '{'..='~')
}

/// Replaces neighbours from the left, as a regular expression of two characters does.
fn substitute(
    line: &str,
    matches: impl Fn(char, char) -> bool,
    by: impl Fn(char, char) -> [char; 4],
) -> String {
    let mut result = String::with_capacity(line.len() * 2);
    let mut characters = line.chars().peekable();
    while let Some(first) = characters.next() {
        match characters.next_if(|&second| matches(first, second)) {
            Some(second) => result.extend(by(first, second)),
            None => result.push(first),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_rules() {
        let words = |sentence: &str| words(&BleuTokenization::V13a.spaced(sentence)).join(" ");
        assert_eq!(
            words("Isn't 3.5% of 1,000.00 (one)?"),
            "Isn't 3.5 % of 1,000.00 ( one ) ?"
        );
        assert_eq!(words("a.b 5. .5 a,5 5,a"), "a . b 5 . . 5 a , 5 5 , a");
        assert_eq!(words("well-known 10-20 -5"), "well-known 10 - 20 -5");
        assert_eq!(words("&quot;&amp;quot;&lt;"), "\" & quot ; <");
        assert_eq!(
            words("&amp;lt;"),
            "<",
            "entities are replaced one kind after the other"
        );
        assert_eq!(words("a<skipped>b exam-\nple\nx"), "ab example x");
        assert_eq!(words("„Ja“ …\u{a0}x\u{1f}y"), "„Ja“ … x y");
        assert_eq!(words("... ,, .,."), ". . . , , . , .");
        assert_eq!(words(" \u{3000} "), "");
        let none = BleuTokenization::None.spaced(" a.b,  c\t&amp; ");
        assert_eq!(super::words(&none), ["a.b,", "c", "&amp;"]);
    }
}
