//! People give names, the API takes ids.

use anyhow::{Context, Result};
use protocol::rest::{datasets::Summary as Dataset, devices::Device, models::Summary};

use super::Client;
use crate::exit::{Exit, error, usage};

/// An id and the name beside it.
type Item = (String, Option<String>);

impl Client {
    /// The id of the model that `reference` means: an id or a name that only one model has.
    ///
    /// # Errors
    /// When there is none, or several.
    pub(crate) async fn model_id(&self, reference: &str) -> Result<String> {
        if is_id("model_", reference) {
            return Ok(reference.to_owned());
        }
        pick("model", reference, &self.model_names(reference).await?)
    }

    /// As [`Self::model_id`], with the version behind `@` if there is one.
    ///
    /// # Errors
    /// As [`Self::model_id`].
    async fn model_version(&self, reference: &str) -> Result<(String, Option<String>)> {
        let (plain, version) = split_version(reference);
        let version = version.map(str::to_owned);
        if is_id("model_", plain) {
            return Ok((plain.to_owned(), version));
        }
        let names = self.model_names(reference).await?;
        match pick("model", reference, &names) {
            // a name may end like a version
            Err(_) if version.is_some() => Ok((pick("model", plain, &names)?, version)),
            found => Ok((found?, None)),
        }
    }

    /// As [`Self::model_version`], as the API writes it: `model_…` or `model_…@3`.
    ///
    /// # Errors
    /// As [`Self::model_id`].
    pub(crate) async fn model_reference(&self, reference: &str) -> Result<String> {
        let (id, version) = self.model_version(reference).await?;
        Ok(version.map_or_else(|| id.clone(), |version| format!("{id}@{version}")))
    }

    /// All models, to find the one called `reference`; a key may be good for a model and not for this.
    async fn model_names(&self, reference: &str) -> Result<Vec<Item>> {
        let models = self.list::<Summary>(&["models"], "models", None).await;
        let unnamed = || format!("cannot look up what `{reference}` is; a model's id always works");
        let models = models.with_context(unnamed)?.items()?;
        Ok(models.into_iter().map(|model| (model.id, Some(model.name))).collect())
    }

    /// The id of the dataset that `reference` means: an id or a name that only one dataset has.
    ///
    /// # Errors
    /// When there is none, or several.
    pub(crate) async fn dataset_id(&self, reference: &str) -> Result<String> {
        if is_id("dataset_", reference) {
            return Ok(reference.to_owned());
        }
        let datasets = self.list::<Dataset>(&["datasets"], "datasets", None).await?.items()?;
        let names: Vec<_> =
            datasets.into_iter().map(|dataset| (dataset.id, Some(dataset.name))).collect();
        pick("dataset", reference, &names)
    }

    /// The id of the device that `reference` means: an id or a name that only one device has.
    ///
    /// # Errors
    /// When there is none, or several.
    pub(crate) async fn device_id(&self, reference: &str) -> Result<String> {
        if is_id("dev_", reference) {
            return Ok(reference.to_owned());
        }
        let devices = self.list::<Device>(&["devices"], "devices", None).await?.items()?;
        let names: Vec<_> = devices.into_iter().map(|device| (device.id, device.name)).collect();
        pick("device", reference, &names)
    }
}

/// Whether a text has the form of an id, so that nobody needs to be asked for it.
fn is_id(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn split_version(reference: &str) -> (&str, Option<&str>) {
    match reference.rsplit_once('@') {
        Some((plain, version))
            if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (plain, Some(version))
        }
        _ => (reference, None),
    }
}

/// The one of `items` that `reference` means.
fn pick(kind: &str, reference: &str, items: &[Item]) -> Result<String> {
    if items.iter().any(|(id, _)| id == reference) {
        return Ok(reference.to_owned());
    }
    let called = items.iter().filter(|(_, name)| name.as_deref() == Some(reference));
    let called: Vec<_> = called.map(|(id, _)| id.as_str()).collect();
    match called[..] {
        [id] => Ok(id.to_owned()),
        [] => {
            let list = match kind {
                "device" => "devices".to_owned(),
                _ => format!("{kind} list"),
            };
            let message = format!("no {kind} is called `{reference}`; `dcmp {list}` shows yours");
            Err(error(Exit::Refused, message))
        }
        _ => Err(usage(format!(
            "{} {kind}s are called `{reference}`; give the id of one:\n  {}",
            called.len(),
            called.join("\n  ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::exit;

    #[test]
    fn names_lead_to_ids_when_they_are_unique() {
        let items: Vec<Item> =
            [("model_1", Some("digits")), ("model_2", Some("twin")), ("model_3", Some("twin"))]
                .into_iter()
                .chain([("model_4", None)])
                .map(|(id, name)| (id.to_owned(), name.map(str::to_owned)))
                .collect();
        assert_eq!(pick("model", "digits", &items).unwrap(), "model_1");
        assert_eq!(pick("model", "model_4", &items).unwrap(), "model_4");
        let ambiguous = pick("model", "twin", &items).unwrap_err();
        assert!(ambiguous.to_string().ends_with("one:\n  model_2\n  model_3"), "{ambiguous}");
        assert_eq!(exit::of(&ambiguous), Exit::Usage);
        let unknown = pick("model", "cats", &items).unwrap_err();
        assert!(unknown.to_string().contains("`dcmp model list`"), "{unknown}");
        assert_eq!(exit::of(&unknown), Exit::Refused);
    }

    #[test]
    fn ids_are_recognised_by_their_form() {
        assert!(is_id("model_", "model_019aa5d3f0007cc3b5b0d5a3c2e1f004"));
        assert!(!is_id("model_", "model_of_my_car"));
        assert!(!is_id("model_", "dev_019aa5d3f0007cc3b5b0d5a3c2e1f004"));
        assert_eq!(split_version("digits@3"), ("digits", Some("3")));
        assert_eq!(split_version("me@home"), ("me@home", None));
        assert_eq!(split_version("digits@"), ("digits@", None));
    }
}
