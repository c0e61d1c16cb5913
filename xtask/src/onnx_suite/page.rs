//! docs/operators.md: the table of accepted operators, and how the cases came out.

use std::{collections::BTreeMap, fmt::Write};

use inference::operators::{DISTRUSTED, Limit, OPERATORS, Operator};

use super::{Tried, Verdict};

/// How many cases came out how.
pub(super) fn counts(tried: &[Tried]) -> String {
    let count = |is: fn(&Verdict) -> bool| tried.iter().filter(|t| is(&t.verdict)).count();
    let mut text = String::new();
    let rows = [
        ("accepted and right", count(|v| matches!(v, Verdict::Right))),
        ("accepted and wrong", count(|v| matches!(v, Verdict::Wrong(_) | Verdict::Died(_)))),
        (
            "accepted, and a run of the case's inputs is an error",
            count(|v| matches!(v, Verdict::Fails(_))),
        ),
        ("refused with a reason", count(|v| matches!(v, Verdict::Refused(_)))),
        (
            "not made of tensors, or corrected by a later release",
            count(|v| matches!(v, Verdict::Skipped(_))),
        ),
        ("all", tried.len()),
    ];
    for (what, number) in rows {
        let _ = writeln!(text, "| {what} | {number} |");
    }
    text
}

/// The whole page.
pub(super) fn page(tried: &[Tried]) -> String {
    let mut page = String::from(
        "# Operators\n\n\
         Made by `cargo xtask onnx-suite`, which puts the cases of seven releases of the `onnx` package \
         (operator sets 9 to 28), and some of ours, to the same acceptance and engine as an upload and a \
         request. What is not in this table is refused at upload, with the node's name.\n\n\
         | cases | |\n|---|---|\n",
    );
    page += &counts(tried);
    page += "\nRefused, by reason:\n\n| reason | cases |\n|---|---|\n";
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for tried in tried {
        if let Verdict::Refused(reason) = &tried.verdict {
            *reasons.entry(kind(reason)).or_default() += 1;
        }
    }
    for (reason, count) in reasons {
        let _ = writeln!(page, "| {reason} | {count} |");
    }
    page += "\nAn operator's cases are those of graphs of one node that come out right; where there are \
             none, it occurs in larger graphs.\n\n\
             | operator | operator sets | attributes | only | cases |\n|---|---|---|---|---|\n";
    for operator in OPERATORS {
        let right = tried.iter().filter(|t| t.verdict == Verdict::Right);
        let cases = right.filter(|t| t.operator.as_deref() == Some(operator.name)).count();
        page += &row(operator, cases);
    }
    page += "\nRefused although the engine has them:\n\n| operator | since |\n|---|---|\n";
    for (name, why) in DISTRUSTED {
        let _ = writeln!(page, "| {name} | {why} |");
    }
    page
}

fn row(operator: &Operator, cases: usize) -> String {
    let Operator { name, domain, opsets, attributes, limits } = operator;
    let domain = if domain.is_empty() { String::new() } else { format!(" (`{domain}`)") };
    let (from, to) = (opsets.start(), opsets.end());
    let attributes: Vec<String> = attributes.iter().map(|name| format!("`{name}`")).collect();
    let limits: Vec<String> = limits.iter().map(limit).collect();
    format!(
        "| {name}{domain} | {from}–{to} | {} | {} | {cases} |\n",
        attributes.join(" "),
        limits.join("; ")
    )
}

fn limit(limit: &Limit) -> String {
    match limit {
        Limit::OneOf(name, values) => format!("`{name}` {}", values.join(" or ")),
        Limit::Is(name, value) => format!("`{name}` {value}"),
        Limit::Off(input) => format!("input {input} a constant false, or absent"),
        Limit::Unsigned(input) => format!("input {input} a constant of type uint8"),
        Limit::Inputs(most) => format!("at most {most} inputs"),
        Limit::NotBool => "not of booleans".to_owned(),
        Limit::Finite => "without infinite constants in the graph".to_owned(),
    }
}

/// The kind of a refusal, by its words.
fn kind(reason: &str) -> &'static str {
    const KINDS: [(&str, &str); 15] = [
        ("unsupported operators", "an operator that is not in the table"),
        ("is accepted from operator sets", "a version of the operator that has no cases"),
        ("the attribute `", "an attribute that is not in the table"),
        ("gives right answers here", "an attribute's value that comes out wrong"),
        ("in training mode", "training mode"),
        ("zero points", "zero points that are not uint8"),
        ("infinite constants", "infinite constants beside ReduceMax or ReduceMin"),
        ("booleans", "the largest or smallest of booleans"),
        ("is accepted with at most", "inputs that are not supported"),
        ("is empty", "an empty input"),
        ("element type", "an element type that is not supported"),
        ("no inputs", "no inputs"),
        ("constants computed in the graph", "constants that are much larger than the file"),
        ("shape", "shapes, axes or sizes given as inputs, not as constants"),
        ("cannot be run", "the engine needs constants, or lacks the combination"),
    ];
    let found = KINDS.iter().find(|(words, _)| reason.contains(words));
    found.map_or("other", |(_, kind)| *kind)
}
