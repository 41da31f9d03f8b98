//! What a question asks for, told by its question word.

/// The type of a question: that of the first question word in it, wherever it stands, in small letters or capitals.
///
/// Words are runs of letters and digits, so that *what's* is *what* and *s*. *How* followed by *many* is a type of its
/// own, as it asks for a number. The rule looks at words alone: "In what year" is [`What`](Self::What), and "In the
/// year when it rained, who came?" is [`When`](Self::When).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuestionKind {
    /// *who*, *whom*, *whose*.
    Who,
    /// *what*.
    What,
    /// *when*.
    When,
    /// *where*.
    Where,
    /// *which*.
    Which,
    /// *why*.
    Why,
    /// *how many*.
    HowMany,
    /// *how* without *many*.
    How,
    /// No question word.
    Other,
}

impl QuestionKind {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 9] = [
        Self::Who,
        Self::What,
        Self::When,
        Self::Where,
        Self::Which,
        Self::Why,
        Self::HowMany,
        Self::How,
        Self::Other,
    ];

    /// The type of this question.
    #[must_use]
    pub fn of(question: &str) -> Self {
        let question = question.to_lowercase();
        let mut words = question
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .peekable();
        while let Some(word) = words.next() {
            return match word {
                "who" | "whom" | "whose" => Self::Who,
                "what" => Self::What,
                "when" => Self::When,
                "where" => Self::Where,
                "which" => Self::Which,
                "why" => Self::Why,
                "how" if words.peek() == Some(&"many") => Self::HowMany,
                "how" => Self::How,
                _ => continue,
            };
        }
        Self::Other
    }

    /// As tables call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::What => "what",
            Self::When => "when",
            Self::Where => "where",
            Self::Which => "which",
            Self::Why => "why",
            Self::HowMany => "how many",
            Self::How => "how",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::QuestionKind::{self, *};

    #[test]
    fn the_first_question_word_decides() {
        for (question, kind) in [
            ("Who moved the bridge?", Who),
            ("To WHOM was it sold?", Who),
            ("Whose was it?", Who),
            ("In what year was it sold?", What),
            ("What's in it?", What),
            ("It was sold when?", When),
            ("Where is it, and who owns it?", Where),
            ("From which side?", Which),
            ("Why?", Why),
            ("How many goats?", HowMany),
            ("how  many", HowMany),
            ("How did many goats come?", How),
            ("And how?", How),
            // Whole words alone.
            ("Name whatever the show is somewhere.", Other),
            ("", Other),
        ] {
            assert_eq!(QuestionKind::of(question), kind, "{question}");
        }
    }

    #[test]
    fn all_are_listed_once_with_a_name_each() {
        let names: std::collections::BTreeSet<_> =
            QuestionKind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(names.len(), 9);
        assert!(QuestionKind::ALL.is_sorted());
    }
}
