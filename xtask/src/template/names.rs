//! What things are called in the templates.

/// What the names of functions and queues begin with, in the root; nested stacks are told it as `Prefix`.
pub(super) const PREFIX: &str = "dcmp-${Stage}";

/// `models-upload` → `ModelsUpload`: CloudFormation's logical ids are alphanumeric.
pub(super) fn logical(name: &str) -> String {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .flat_map(|word| {
            let mut rest = word.chars();
            rest.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(rest)
        })
        .collect()
}

/// The logical id of a queue.
pub(super) fn queue(name: &str) -> String {
    format!("{}Queue", logical(name))
}

/// The logical id of the dead letters of a queue or a feed consumer.
pub(super) fn dead_letters(name: &str) -> String {
    format!("{}DeadLetters", logical(name))
}
