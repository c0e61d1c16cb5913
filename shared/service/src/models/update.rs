//! Changing what an owner says of a model, without uploading it again. A change of schemas, labels or
//! adapters is a new revision; jobs keep the one that they pinned.

use domain::model::Status;
use protocol::rest::models as rest;

use super::{
    Description, Head,
    description::{counted, label, placement, postprocessing, preprocessing},
    find, revisions, show, stored,
};
use crate::{App, Error, Result, adapters};

/// Changes what the update gives, if the model's tag is one that `allows` knows. The answer is the
/// model, and its new tag. An update that says what is so already changes nothing.
///
/// # Errors
/// `Invalid` by field; `Conflict` when the model is not as its caller knows it.
pub async fn update(
    app: &App,
    customer: &str,
    id: &str,
    update: &rest::Update,
    allows: impl Fn(&str) -> bool,
) -> Result<(rest::Model, String)> {
    let (head, tag) = apply(app, customer, id, update, allows).await.map_err(Error::in_path)?;
    let version = show::newest(app, &head).await.map_err(Error::in_path)?;
    Ok((show::complete(app, show::summary(&head, &version)).await?, tag))
}

async fn apply(
    app: &App,
    customer: &str,
    id: &str,
    update: &rest::Update,
    allows: impl Fn(&str) -> bool,
) -> Result<(Head, String)> {
    loop {
        let mut head = find::read(app, customer, id).await?;
        let version = show::newest(app, &head).await?;
        let tag = show::tag(&head, &version);
        if !allows(&tag) {
            return Err(Error::Conflict(format!(
                "the model changed since you looked: its ETag is now \"{tag}\", which is not in \
                 your If-Match; read it again and repeat the change if it is still wanted"
            )));
        }
        let before = revisions::description(app, id, head.revision).await?;
        let mut after = Description::clone(&before);
        let named = change_head(&mut head, update)?;
        change_description(&mut after, update)?;
        let kept = if after == *before {
            if !named {
                return Ok((head, tag));
            }
            None
        } else {
            if version.status == Status::Ready {
                adapters::check(app, &after, &version.inputs, &version.outputs).await?;
            }
            head.revision += 1;
            head.preprocessing = after.preprocessing;
            head.postprocessing = after.postprocessing;
            head.has_input_schema = after.input_schema.is_some();
            Some(revisions::keep(app, id, &after).await?)
        };
        let row = kept.as_ref().map(|kept| kept.write(id, head.revision)).transpose()?;
        match (stored::commit(app, &head, row.into_iter().collect()).await, kept) {
            (Ok(true), _) => {
                head.changes += 1;
                let tag = show::tag(&head, &version);
                return Ok((head, tag));
            }
            // somebody else changed the model meanwhile: the change is made to what it is now
            (Ok(false), None) => {}
            (Ok(false), Some(kept)) => kept.discard(app).await,
            // it may be on record all the same, so its file stays
            (Err(error), _) => return Err(error),
        }
    }
}

/// Whether anything of the head is another now.
fn change_head(head: &mut Head, update: &rest::Update) -> Result<bool> {
    let before = (head.name.clone(), head.placement);
    match &update.name {
        None => {}
        Some(Some(name)) => head.name = label("name", name)?,
        Some(None) => {
            return Err(Error::invalid(
                "name",
                "a model has a name; leave the field out to keep it",
            ));
        }
    }
    if let Some(given) = &update.placement {
        let given = given.as_deref().map(|name| placement("placement", name)).transpose()?;
        head.placement = given.unwrap_or_default();
    }
    Ok(before != (head.name.clone(), head.placement))
}

fn change_description(description: &mut Description, update: &rest::Update) -> Result<()> {
    if let Some(given) = &update.input_schema {
        description.declare_input(given.clone())?;
    }
    if let Some(given) = &update.output_schema {
        description.declare_output(given.clone())?;
    }
    if let Some(given) = &update.labels {
        let labels = given.clone().map(|labels| counted("labels", labels));
        description.labels = labels.transpose()?;
        description.check_size("labels")?;
    }
    if let Some(given) = &update.preprocessing {
        let adapter = given.as_deref().map(|name| preprocessing("preprocessing", name));
        description.preprocessing = adapter.transpose()?;
    }
    if let Some(given) = &update.postprocessing {
        let adapter = given.as_deref().map(|name| postprocessing("postprocessing", name));
        description.postprocessing = adapter.transpose()?;
    }
    Ok(())
}
