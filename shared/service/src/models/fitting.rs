//! How a new version goes with its model: with the adapters that the model has, and with what callers
//! of the version before rely on.

use protocol::tensor::Spec;

use super::{Head, Version, revisions};
use crate::{App, Error, Result, Signature, adapters};

/// How many differences between versions are listed.
const MAX_WARNINGS: usize = 20;

/// Whether a model's adapters fit a file, asked once for each revision.
#[derive(Default)]
pub(super) struct Fitting(Option<(u32, Option<String>)>);

impl Fitting {
    /// A warning when the adapters do not fit a further version: they may be changed next.
    ///
    /// # Errors
    /// `Invalid` when they do not fit the first version that is ready: nobody could compare them with
    /// a file before.
    pub(super) async fn look(
        &mut self,
        app: &App,
        head: &Head,
        signature: &Signature,
    ) -> Result<Option<String>> {
        if let Some((revision, known)) = &self.0
            && *revision == head.revision
        {
            return Ok(known.clone());
        }
        let description = revisions::description(app, &head.id, head.revision).await?;
        let Signature { inputs, outputs } = signature;
        let warning = match adapters::check(app, &description, inputs, outputs).await {
            Ok(()) => None,
            Err(unfit @ Error::Invalid(_)) if head.newest.is_some() => Some(format!(
                "the model's adapters do not fit this version: {unfit}; change them with PATCH \
                 /api/v1/models/{}/schema",
                head.id
            )),
            Err(error) => return Err(error),
        };
        self.0 = Some((head.revision, warning.clone()));
        Ok(warning)
    }
}

/// What callers of the version before must know: sentences, none when nothing differs.
pub(super) fn differences(before: &Version, inputs: &[Spec], outputs: &[Spec]) -> Vec<String> {
    let mut differing = of_kind("input", &before.inputs, inputs);
    differing.extend(of_kind("output", &before.outputs, outputs));
    if let Some(more) = differing.len().checked_sub(MAX_WARNINGS).filter(|more| *more > 0) {
        differing.truncate(MAX_WARNINGS);
        differing.push(format!("and {more} more differences"));
    }
    differing
}

fn of_kind(kind: &str, before: &[Spec], now: &[Spec]) -> Vec<String> {
    let named = |specs: &[Spec], name: &str| specs.iter().position(|spec| spec.name == name);
    let text = |spec: &Spec| format!("{} {}", spec.dtype, spec.shape_text());
    let gone = before.iter().filter(|spec| named(now, &spec.name).is_none());
    let gone = gone.map(|spec| format!("the {kind} `{}` is not there any more", spec.name));
    let changed = now.iter().filter_map(|spec| match named(before, &spec.name) {
        None => Some(format!("the {kind} `{}` ({}) is new", spec.name, text(spec))),
        Some(at) if before[at].dtype != spec.dtype || before[at].shape != spec.shape => {
            let (was, is) = (text(&before[at]), text(spec));
            Some(format!("the {kind} `{}` was {was} and is {is}", spec.name))
        }
        Some(_) => None,
    });
    gone.chain(changed).collect()
}
