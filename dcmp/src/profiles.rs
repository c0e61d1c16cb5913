//! Platforms that somebody logged in to: their addresses and keys, in one file of the user's
//! configuration that nobody else can read.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{exit::usage, home};

/// What a login is called unless it is given a name.
pub(crate) const DEFAULT: &str = "default";

/// One platform, and how it is entered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// Of the API, `http(s)://…`.
    pub(crate) url: String,
    /// Of the devices' socket, `ws(s)://…`, where it does not follow from the API's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) socket_url: Option<String>,
    /// A customer's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<String>,
    /// The operator's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) admin_key: Option<String>,
}

/// All of them, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profiles {
    /// The one that commands use when none is named: the last that somebody logged in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// From their names.
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Those of this user; none is no error.
    pub(crate) fn read() -> Result<Self> {
        let path = path();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        serde_json::from_slice(&text).map_err(|cause| {
            let place = path.display();
            usage(format!("{place} is damaged ({cause}); remove it and run `dcmp login` again"))
        })
    }

    /// Keeps them.
    pub(crate) fn write(&self) -> Result<()> {
        let path = path();
        let folder = path.parent().context("the file of profiles has no folder")?;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        home::write_private(&path, self)
    }

    /// The one called `name`, else the current one if there is one.
    pub(crate) fn pick(mut self, name: Option<&str>) -> Result<Option<Profile>> {
        match (name, &self.current) {
            (Some(name), _) => {
                let known: Vec<_> = self.profiles.keys().cloned().collect();
                let missing = || {
                    let known = match &known[..] {
                        [] => "there are none".to_owned(),
                        known => format!("there are {}", known.join(", ")),
                    };
                    usage(format!("no profile is called `{name}`; {known}; `dcmp login` makes one"))
                };
                self.profiles.remove(name).map(Some).ok_or_else(missing)
            }
            (None, Some(current)) => Ok(self.profiles.get(current).cloned()),
            (None, None) => Ok(None),
        }
    }
}

/// Where they are kept.
fn path() -> PathBuf {
    home::config().join("profiles.json")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_named_or_the_current_one() {
        let profile = |url: &str| Profile {
            url: url.to_owned(),
            socket_url: None,
            api_key: None,
            admin_key: None,
        };
        let profiles = Profiles {
            current: Some("b".to_owned()),
            profiles: [
                ("a".to_owned(), profile("https://a")),
                ("b".to_owned(), profile("https://b")),
            ]
            .into(),
        };
        assert_eq!(profiles.clone().pick(None).unwrap(), Some(profile("https://b")));
        assert_eq!(profiles.clone().pick(Some("a")).unwrap(), Some(profile("https://a")));
        let error = profiles.pick(Some("c")).unwrap_err().to_string();
        assert!(error.contains("`c`; there are a, b"), "{error}");
        assert_eq!(Profiles::default().pick(None).unwrap(), None);
    }
}
