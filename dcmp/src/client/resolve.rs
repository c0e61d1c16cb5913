//! People give names, the API takes ids.

use anyhow::Result;
use protocol::rest::{devices::Device, models::Model};

use super::Client;
use crate::exit::{Exit, error, usage};

impl Client {
    /// The id of the model that `reference` means: an id or a name that only one model has, each
    /// with a version behind `@` or without.
    ///
    /// # Errors
    /// When there is none, or several.
    pub(crate) async fn model_id(&self, reference: &str) -> Result<String> {
        let (plain, version) = split_version(reference);
        if is_id("model_", plain) {
            return Ok(reference.to_owned());
        }
        let models = self.list::<Model>(&["models"], "models", None).await?.items()?;
        let named: Vec<_> =
            models.iter().map(|model| (model.id.as_str(), Some(model.name.as_str()))).collect();
        // a name may end like a version
        match pick("model", reference, &named) {
            Ok(id) => Ok(id),
            Err(cause) => match version {
                Some(version) => Ok(format!("{}@{version}", pick("model", plain, &named)?)),
                None => Err(cause),
            },
        }
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
        let named: Vec<_> =
            devices.iter().map(|device| (device.id.as_str(), device.name.as_deref())).collect();
        pick("device", reference, &named)
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

/// The one of `items`, each an id and a name, that `reference` means.
fn pick(kind: &str, reference: &str, items: &[(&str, Option<&str>)]) -> Result<String> {
    if let Some((id, _)) = items.iter().find(|(id, _)| *id == reference) {
        return Ok((*id).to_owned());
    }
    let called: Vec<_> =
        items.iter().filter(|(_, name)| *name == Some(reference)).map(|(id, _)| *id).collect();
    match called[..] {
        [id] => Ok(id.to_owned()),
        [] => {
            let list = if kind == "device" { "dcmp devices" } else { "dcmp model list" };
            let message = format!("no {kind} is called `{reference}`; `{list}` shows yours");
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

    const ITEMS: [(&str, Option<&str>); 4] = [
        ("model_1", Some("digits")),
        ("model_2", Some("twin")),
        ("model_3", Some("twin")),
        ("model_4", None),
    ];

    #[test]
    fn names_lead_to_ids_when_they_are_unique() {
        assert_eq!(pick("model", "digits", &ITEMS).unwrap(), "model_1");
        assert_eq!(pick("model", "model_4", &ITEMS).unwrap(), "model_4");
        let ambiguous = pick("model", "twin", &ITEMS).unwrap_err();
        assert!(ambiguous.to_string().ends_with("one:\n  model_2\n  model_3"), "{ambiguous}");
        assert_eq!(exit::of(&ambiguous), Exit::Usage);
        let unknown = pick("model", "cats", &ITEMS).unwrap_err();
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
