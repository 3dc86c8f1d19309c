//! Patterns of policies: `*` is any text, `?` one character, everything else itself.

/// Whether the whole text matches. Linear in the length of the text for each `*`, so that no pattern can stall an audit.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on when a guess for the last `*` was too short: the pattern behind it, and the text from where it was tried.
    let mut retry: Option<(&str, &str)> = None;
    loop {
        let (mut pattern_rest, mut text_rest) = (pattern.chars(), text.chars());
        match (pattern_rest.next(), text_rest.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                pattern = pattern_rest.as_str();
                retry = Some((pattern, text));
                continue;
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                (pattern, text) = (pattern_rest.as_str(), text_rest.as_str());
                continue;
            }
            _ => {}
        }
        let Some((behind, tried)) = retry else {
            return false;
        };
        let mut longer = tried.chars();
        if longer.next().is_none() {
            return false;
        }
        (pattern, text) = (behind, longer.as_str());
        retry = Some((behind, longer.as_str()));
    }
}
