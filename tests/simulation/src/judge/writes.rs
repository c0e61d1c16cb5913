//! What must hold of every write.

use std::sync::Arc;

use domain::job::{Input, Job, Output};
use ports::Item;
use protocol::tensor::Named;

use super::{batches, is_job};
use crate::{
    ledger::Ledger,
    model::Model,
    store::{Committed, Observer},
};

/// Watches every write of a job.
pub(crate) fn observer(ledger: Arc<Ledger>, models: Arc<Vec<Model>>) -> Observer {
    Arc::new(move |write| {
        if let Err(wrong) = watch(write, &models) {
            ledger.violated(wrong);
        }
    })
}

fn watch(write: &Committed, models: &[Model]) -> Result<(), String> {
    if batches::is_batch(write.key) {
        return batches::watch(write);
    }
    if !is_job(write.key) {
        return Ok(());
    }
    let id = &write.key.partition;
    let read = |item: Option<&Item>| -> Result<Option<Arc<Job>>, String> {
        item.map(Item::shared).transpose().map_err(|error| format!("{id}: {error}"))
    };
    let (old, new) = (read(write.old)?, read(write.new)?);
    let ended = old.as_ref().filter(|old| old.state.is_terminal());
    if let Some(ended) = ended {
        let now = new.as_ref().map(|new| new.state);
        return Err(format!("{id} was {:?} and was changed afterwards, to {now:?}", ended.state));
    }
    let Some(new) = new else { return Ok(()) };
    if let Some(outcome) = &new.outcome {
        let live = old.as_ref().is_some_and(|old| old.fences.contains_key(&outcome.fence));
        if !live {
            return Err(format!("{id} took the result of an attempt that was not live"));
        }
        if let Output::Inline(outputs) = &outcome.result {
            is_right(&new, outputs.text(), models)?;
        }
    }
    if new.state.is_terminal() && !new.fences.is_empty() {
        return Err(format!("{id} is {:?} and has live attempts", new.state));
    }
    Ok(())
}

/// Whether outputs that are in the item follow from inputs that are there too.
fn is_right(job: &Job, outputs: &str, models: &[Model]) -> Result<(), String> {
    // those of a batch are looked at by its customer
    let (Input::Inline(inputs), None) = (&job.input, &job.chunk) else {
        return Ok(());
    };
    let floats = |text: &str| -> Option<Vec<f32>> {
        let tensors: Vec<Named> = serde_json::from_str(text).ok()?;
        Some(tensors.first()?.tensor.to_f64().into_iter().map(|value| value as f32).collect())
    };
    let model = models.iter().find(|model| model.id == job.model.id);
    let (Some(model), Some(input)) = (model, floats(inputs.text())) else { return Ok(()) };
    if floats(outputs) == Some(model.run(&input)) {
        return Ok(());
    }
    Err(format!("{} took a wrong result", job.id))
}
