//! The nearest known name.

/// The candidate that was most likely meant: case and separators apart equal, or a few edits away.
pub fn nearest<'c>(given: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // The distance is quadratic in length; nobody misspells a name of this size.
    const LONGEST: usize = 100;
    // Enough for any list that a person wrote; a made-up one must not cost minutes.
    const MOST: usize = 500;
    if given.is_empty() || given.len() > LONGEST {
        return None;
    }
    let wanted = folded(given);
    candidates
        .into_iter()
        .take(MOST)
        .filter(|candidate| candidate.len() <= LONGEST && *candidate != given)
        .map(|candidate| (distance(&wanted, &folded(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(given.len().min(candidate.len())))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean ...?)`, or nothing.
pub fn did_you_mean<'c>(given: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    nearest(given, candidates).map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

fn folded(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Singular and plural, or a word left out at one end, are one edit however long they are.
fn distance(given: &str, candidate: &str) -> usize {
    let shorter = given.len().min(candidate.len());
    let prefix = shorter >= 4 && (given.starts_with(candidate) || candidate.starts_with(given));
    let suffix = shorter >= 4 && (given.ends_with(candidate) || candidate.ends_with(given));
    if given == candidate {
        0
    } else if prefix || suffix {
        1
    } else {
        strsim::damerau_levenshtein(given, candidate)
    }
}

fn allowed(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = [
            "pubsubname",
            "topic",
            "routes",
            "deadLetterTopic",
            "cpuTime",
        ];
        assert_eq!(nearest("topik", known), Some("topic"));
        assert_eq!(nearest("pubsubName", known), Some("pubsubname"));
        assert_eq!(nearest("pubsub", known), Some("pubsubname"));
        assert_eq!(nearest("cpu_time", known), Some("cpuTime"));
        assert_eq!(nearest("dead-letter-topic", known), Some("deadLetterTopic"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }
}
