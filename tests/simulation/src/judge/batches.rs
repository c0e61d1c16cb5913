//! What must hold of batches: every input is counted once, and what was stopped stays stopped.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    batch::Batch,
    job::{Job, State},
};
use ports::{Item, Key};

use crate::{Store, ledger::Inner, store::Committed};

/// For how long after the end of a batch what was on its way may still be given to devices, in
/// microseconds: as long as a function runs, and a queue hides a message, a few times over.
const AFTERMATH_US: u64 = 600_000_000;

pub(super) fn is_batch(key: &Key) -> bool {
    key.partition.starts_with("BATCH#") && key.sort == "HEAD"
}

/// Watches a write of a batch.
pub(super) fn watch(write: &Committed) -> Result<(), String> {
    let id = &write.key.partition;
    let read = |item: Option<&Item>| -> Result<Option<Batch>, String> {
        item.map(Item::decode).transpose().map_err(|error| format!("{id}: {error}"))
    };
    let (old, new) = (read(write.old)?, read(write.new)?);
    let Some(new) = new else { return Err(format!("{id} is gone")) };
    let over = |batch: &Batch| (batch.completed, batch.failed);
    if let Some(old) = &old {
        let ended = old.state.is_terminal();
        if ended && (old.state, over(old)) != (new.state, over(&new)) {
            let (was, now) = ((old.state, over(old)), (new.state, over(&new)));
            return Err(format!("{id} was over, {was:?}, and was changed afterwards, to {now:?}"));
        }
        if new.completed < old.completed || new.failed < old.failed {
            return Err(format!("{id} had {:?} and then {:?} inputs", over(old), over(&new)));
        }
    }
    if new.completed + new.failed > new.total {
        return Err(format!("{id} counts {:?} of {} inputs", over(&new), new.total));
    }
    Ok(())
}

/// Judges what is left of batches; `was_unlucky` judges a chunk that has no result.
pub(super) fn judge(
    store: &Store,
    ledger: &Inner,
    jobs: &[Arc<Job>],
    was_unlucky: impl Fn(&Job) -> Result<(), String>,
) -> Result<(), String> {
    let items = store.items().into_iter().filter(|(key, _)| is_batch(key));
    let batches: Vec<Batch> = items.filter_map(|(_, item)| item.decode().ok()).collect();
    let mut chunks: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
    for job in jobs {
        if let Some(chunk) = &job.chunk {
            chunks.entry(&chunk.batch).or_default().push(job);
        }
    }
    for batch in &batches {
        let asked = ledger.batches.iter().find(|asked| asked.accepted.as_ref() == Some(&batch.id));
        let of = chunks.remove(&*batch.id).unwrap_or_default();
        one(batch, &of)?;
        let cancels = asked.is_some_and(|asked| asked.cancels);
        match batch.state {
            State::Completed => of.iter().try_for_each(|job| match job.state {
                State::Completed => Ok(()),
                _ => was_unlucky(job),
            })?,
            State::Cancelled if cancels => {}
            other => return Err(format!("{} is {other:?}: {:?}", batch.id, batch.failure)),
        }
    }
    for asked in &ledger.batches {
        let Some(id) = &asked.accepted else { continue };
        let Some(batch) = batches.iter().find(|batch| batch.id == *id) else {
            return Err(format!("{id}, which was accepted, is not on record"));
        };
        if asked.ended.as_deref() != Some(batch.state.name()) {
            let (told, is) = (&asked.ended, batch.state);
            return Err(format!("the customer was told {told:?} of {id}, which is {is:?}"));
        }
    }
    match chunks.first_key_value() {
        Some((batch, _)) => Err(format!("there are chunks of {batch}, and no such batch")),
        None => Ok(()),
    }
}

/// Whether a batch agrees with its chunks.
fn one(batch: &Batch, chunks: &[&Job]) -> Result<(), String> {
    let id = &batch.id;
    if !batch.state.is_terminal() || !batch.open.is_empty() {
        return Err(format!("{id} never ended: {:?}, open are {:?}", batch.state, batch.open));
    }
    let mut known: Vec<_> = chunks.iter().filter_map(|job| job.chunk.as_ref()).collect();
    known.sort_by_key(|chunk| chunk.number);
    let mut next = 0;
    for (number, chunk) in known.iter().enumerate() {
        if (chunk.number as usize, chunk.first) != (number, next) {
            return Err(format!(
                "the chunks of {id} do not follow each other: {chunk:?} at {next}"
            ));
        }
        next += u64::from(chunk.inputs);
    }
    if batch.state == State::Completed
        && (next, batch.completed + batch.failed) != (batch.total, batch.total)
    {
        return Err(format!("{id} has {} inputs, {next} in chunks: {batch:?}", batch.total));
    }
    let ended_us = batch.ended_us.unwrap_or(0);
    let late = chunks.iter().flat_map(|job| &job.attempts);
    match late.map(|attempt| attempt.sent_us).max() {
        Some(sent_us) if sent_us > ended_us + AFTERMATH_US => {
            let after_s = (sent_us - ended_us) / 1_000_000;
            Err(format!("a chunk of {id} was given to a device {after_s} s after its end"))
        }
        _ => Ok(()),
    }
}
