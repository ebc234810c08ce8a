//! From words with blanks around punctuation to text as people write it.

/// What Moses writes for characters that mean something to it, in the order to undo it.
const ESCAPES: [(&str, &str); 8] = [
    ("&bar;", "|"),
    ("&#124;", "|"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&apos;", "'"),
    ("&quot;", "\""),
    ("&#91;", "["),
    ("&#93;", "]"),
];

/// Joins the words of a tokenized sentence to text: `it 's a dog .` becomes `it's a dog.`
///
/// The rules are the basic ones of the detokenizer of Moses (Koehn et al., "Moses: Open Source
/// Toolkit for Statistical Machine Translation", ACL 2007). Moses does not join `n't` nor, in German,
/// `'s`, and it joins a `€` to what follows in every language.
///
/// * `, . ; : ! ? … % )` `]` `}`, alone or several in a row, join the word before them.
/// * `( [ { ¿ ¡ $ £ €` join the word after them, but for a `€` after a number in German.
/// * `"` and `'` open a quotation and close it by turns. `„` opens one, and so does `“` except in
///   German, where it closes one, as `”` does everywhere.
/// * In English (`en`) and German (`de`) what begins by an apostrophe and a letter joins the word
///   before it (`it 's`, `geht 's`); in English `n't` does too, and an apostrophe after an `s` if no
///   quotation is open (`the dogs ' tails`).
/// * `@-@` is a hyphen without blanks, and the escapes of Moses (`&apos;`, `&quot;`, `&amp;` and the
///   like) are the characters they stand for.
///
/// Other languages get the rules that do not name one. A sentence that was not tokenized keeps its
/// words; of white space one blank is left between them.
///
/// What it does not do: restore capital letters; join numbers that were divided at their dots or
/// commas, or words at other hyphens, slashes or dashes; tell an apostrophe from a quotation mark
/// inside of a quotation; know the rules of French, Finnish, Chinese or any other language.
pub fn detokenize(sentence: &str, language: &str) -> String {
    let mut sentence = sentence.replace(" @-@ ", "-");
    for (escape, character) in ESCAPES {
        sentence = sentence.replace(escape, character);
    }
    // Last, since what it gives is no escape: "&amp;lt;" was written for "&lt;".
    let sentence = sentence.replace("&amp;", "&");
    let mut text = Text {
        language,
        ..Text::default()
    };
    for word in sentence.split_whitespace() {
        let joins = text.joins(word);
        text.push(word, joins);
    }
    text.written
}

/// Which neighbours a word is written together with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joins {
    Neither,
    Before,
    After,
}

/// The text so far.
#[derive(Default)]
struct Text<'a> {
    language: &'a str,
    written: String,
    /// Whether the last word joins the next.
    open: bool,
    /// Quotations that are open, `"` and `'`.
    quoted: [bool; 2],
}

impl Text<'_> {
    fn push(&mut self, word: &str, joins: Joins) {
        if !self.written.is_empty() && !self.open && joins != Joins::Before {
            self.written.push(' ');
        }
        self.written += word;
        self.open = joins == Joins::After;
    }

    fn joins(&mut self, word: &str) -> Joins {
        let german = self.language == "de";
        let english = self.language == "en";
        let all = |of: &str| word.chars().all(|character| of.contains(character));
        let after_digit = self.written.ends_with(|c: char| c.is_ascii_digit());
        if german && word == "€" && after_digit {
            Joins::Neither
        } else if all("([{¿¡$£€„") || (!german && all("“")) {
            Joins::After
        } else if all(",.;:!?…%)]}“”") {
            Joins::Before
        } else if word == "\"" {
            self.quotation(0)
        } else if word == "'" {
            if english && !self.quoted[1] && self.written.ends_with('s') && !self.open {
                return Joins::Before;
            }
            self.quotation(1)
        } else if (english || german) && is_clitic(word) || english && word == "n't" {
            Joins::Before
        } else {
            Joins::Neither
        }
    }

    /// Opens the quotation of this mark, or closes it.
    fn quotation(&mut self, mark: usize) -> Joins {
        self.quoted[mark] = !self.quoted[mark];
        match self.quoted[mark] {
            true => Joins::After,
            false => Joins::Before,
        }
    }
}

/// Whether a word is an apostrophe and letters.
fn is_clitic(word: &str) -> bool {
    let letters = word.strip_prefix(['\'', '’']);
    letters.is_some_and(|rest| rest.starts_with(char::is_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::detokenize;

    #[test]
    fn english_is_joined() {
        for (tokens, text) in [
            ("it 's a dog .", "it's a dog."),
            ("we 'll see , won 't we ?", "we'll see, won't we?"),
            ("they do n't know .", "they don't know."),
            ("the dogs ' tails", "the dogs' tails"),
            ("he said : \" yes , yes ! \"", "he said: \"yes, yes!\""),
            ("a 'quoted' word", "a'quoted' word"),
            (
                "the ' best ' of ( all ) worlds",
                "the 'best' of (all) worlds",
            ),
            ("“ so ” [ it ] goes ...", "“so” [it] goes..."),
            ("it costs $ 5 , or 10 % more", "it costs $5, or 10% more"),
            (
                "a well @-@ known &quot; fact &quot;",
                "a well-known \"fact\"",
            ),
            (
                "that &apos;s R &amp; D &#91; 1 &#93; &amp;lt;",
                "that's R & D [1] &lt;",
            ),
            ("\" a \" and \" b \"", "\"a\" and \"b\""),
        ] {
            assert_eq!(detokenize(tokens, "en"), text);
        }
    }

    #[test]
    fn german_is_joined() {
        for (tokens, text) in [
            ("wie geht 's ? gut !", "wie geht's? gut!"),
            ("er sagte : „ ja “ .", "er sagte: „ja“."),
            (
                "das kostet 5 € ( nicht $ 6 ) .",
                "das kostet 5 € (nicht $6).",
            ),
            ("Tom ' Hund", "Tom 'Hund"),
            ("nord @-@ deutsch ; 5 %", "nord-deutsch; 5%"),
        ] {
            assert_eq!(detokenize(tokens, "de"), text);
        }
    }

    #[test]
    fn other_languages_get_what_is_common() {
        assert_eq!(
            detokenize("¿ qué ? \" sí \" , 's", "es"),
            "¿qué? \"sí\", 's"
        );
        assert_eq!(detokenize("d n't", "es"), "d n't");
    }

    #[test]
    fn text_that_is_not_tokenized_stays() {
        for text in ["It's a dog.", "", "5.5% (of \"all\")", "a - b / c"] {
            assert_eq!(detokenize(text, "en"), text);
        }
        assert_eq!(detokenize("  a \t b\n", "en"), "a b");
    }
}
