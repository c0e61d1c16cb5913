//! `cargo xtask cost`: what a deployment costs, from what was counted and a dated price list.

mod paths;
mod usage;

use std::{fmt::Write, path::Path};

use anyhow::{Context, Result, ensure};

use self::usage::Prices;

/// Writes docs/cost.md from counted operations and xtask/src/cost/prices.json
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only say whether the page is current; exits with 1 when it is not
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cost.md");
    let page = page()?;
    let current = std::fs::read_to_string(&path).is_ok_and(|text| text == page);
    if arguments.check {
        ensure!(current, "docs/cost.md is not current: run `cargo xtask cost`");
    } else if !current {
        std::fs::write(&path, page).context("cannot write docs/cost.md")?;
    }
    println!("docs/cost.md is current");
    Ok(())
}

fn page() -> Result<String> {
    let (prices, routes) = (Prices::read()?, registry::routes());
    let (date, region) = prices.date();
    let mut page = format!(
        "# What a deployment costs

Made by `cargo xtask cost`: list prices of {region} as of {date}, without free tiers, discounts and data transfer; x86_64 (arm64 saves a
fifth of the functions' time). In US dollars.

What an inference asks of the table is counted by `tests/cost` in the platform's own trace (a 10-32-2 MLP, caches warm). Memory, timers and
queues are what the functions declare. Assumed: a write of the table takes {} ms, a read {} ms, a message to a device {} ms, a device {} ms
there and back with its work, a model in the function {} ms, what a function does besides {} ms; a waiting function looks {} times; a run logs {} bytes.

",
        paths::WRITE_MS,
        paths::READ_MS,
        paths::SEND_MS,
        paths::DEVICE_MS,
        paths::COMPUTE_MS,
        paths::HANDLE_MS,
        paths::LOOKS,
        paths::LOG_BYTES,
    );
    table(&mut page, "a million inferences", &paths::inferences(&routes)?, &prices)?;
    page.push_str(
        "
A process whose caches are cold reads up to four items more (key, model, fleet view, connection): $0.50 a million if all were. Folding is shared by
all that end within a second, up to 500 a run. Over 28 KB, tensors go through S3: $5.40 a million for a put and a get.

",
    );
    table(&mut page, "a month", &paths::months(&routes)?, &prices)?;
    page.push_str(
        "
Asleep is without the dashboard ($3 a month beyond the three that an account has free), and without what is stored: $0.25 per GB in the table, $0.20
more for its backups, $0.023 per GB of models. Most of it is watching and Lambda's polling of queues.

Prices from:

",
    );
    for source in prices.sources() {
        let _ = writeln!(page, "* <{source}>");
    }
    Ok(page)
}

fn table(page: &mut String, what: &str, paths: &[paths::Path], prices: &Prices) -> Result<()> {
    let _ = writeln!(
        page,
        "| {what} | functions | gateways | table | queues | logs, metrics, alarms | total | target |"
    );
    page.push_str("|---|---|---|---|---|---|---|---|\n");
    for path in paths {
        let cost = prices.cost(path.usage)?;
        let total = cost.total();
        let target = match path.target {
            None => "".to_owned(),
            Some(target) if total <= target => format!("≤ {target}"),
            Some(target) => format!("≤ {target}, missed"),
        };
        let digits = if total < 0.1 { 3 } else { 2 };
        let parts = [cost.functions, cost.gateways, cost.table, cost.queues, cost.watching];
        let parts: Vec<_> = parts.iter().map(|part| format!("{part:.digits$}")).collect();
        let _ = writeln!(
            page,
            "| {} | {} | **{total:.digits$}** | {target} |",
            path.name,
            parts.join(" | ")
        );
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    #[test]
    fn the_page_is_current() {
        let known = include_str!("../../docs/cost.md");
        assert_eq!(known, super::page().unwrap(), "run `cargo xtask cost`");
    }
}
