//! What a deployment says to its functions, in environment variables that its template sets.

use domain::lease;
use service::{Settings, models::uploads};

/// The largest model in one request, in bytes: a request of Lambda has 6 MB, and a file in it is in
/// base64. Larger files come in parts.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const UPLOAD_LIMIT: usize = 4 << 20;

/// The largest model, in bytes: summing it up must end within a function's 15 minutes.
const MODEL_LIMIT: u64 = 2 << 30;

/// What a function knows of its deployment.
pub struct Environment {
    /// `_HANDLER`: which function this is.
    pub handler: String,
    /// `DCMP_STAGE`, such as `prod`.
    pub stage: String,
    /// `DCMP_OWN_DEVICE`: whether functions that carry an engine run models.
    pub own_device: bool,
    /// What the use cases are told.
    pub settings: Settings,
}

/// A variable that is not there, or not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// Not there, or empty.
    #[error("the environment variable {0} is not set; the template gives it to every function")]
    Missing(&'static str),
    /// Something else than it may be.
    #[error("the environment variable {name} is not {expected}")]
    Value {
        /// Of the variable. Its value is not said: it might be a secret in the wrong place.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl Environment {
    /// Reads the variables through `get`, as `std::env::var(name).ok()` does.
    ///
    /// # Errors
    /// The first variable that is wrong.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Wrong> {
        let needed = |name| get(name).filter(|value| !value.is_empty()).ok_or(Wrong::Missing(name));
        let handler = needed("_HANDLER")?;
        let stage = needed("DCMP_STAGE")?;
        let own_device = needed("DCMP_OWN_DEVICE")?;
        let own_device = match own_device.as_str() {
            "on" => true,
            "off" => false,
            _ => return Err(Wrong::Value { name: "DCMP_OWN_DEVICE", expected: "`on` or `off`" }),
        };
        let admin_key_hash = needed("DCMP_ADMIN_KEY_HASH")?;
        let is_digest = admin_key_hash.len() == 64
            && admin_key_hash.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if !is_digest {
            let expected = "the SHA-256 of the operator's key, 64 small hex digits";
            return Err(Wrong::Value { name: "DCMP_ADMIN_KEY_HASH", expected });
        }
        let public_url = needed("DCMP_PUBLIC_URL")?;
        if !public_url.starts_with("https://") && !public_url.starts_with("http://") {
            let expected = "an address such as https://api.example.org";
            return Err(Wrong::Value { name: "DCMP_PUBLIC_URL", expected });
        }
        let settings = Settings {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            admin_key_hash,
            chosen_keys: false,
            public_url: Some(public_url.trim_end_matches('/').to_owned()),
            bounded_answers: true,
            upload_limit: UPLOAD_LIMIT,
            uploads: uploads::Limits { max_size: MODEL_LIMIT, ..Default::default() },
            lease: lease::Settings::default(),
        };
        Ok(Self { handler, stage, own_device, settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: &str, to: Option<&str>) -> Result<Environment, Wrong> {
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        Environment::read(|name| {
            if name == change {
                return to.map(str::to_owned);
            }
            let value = match name {
                "_HANDLER" => "health-basic",
                "DCMP_STAGE" => "prod",
                "DCMP_OWN_DEVICE" => "on",
                "DCMP_ADMIN_KEY_HASH" => hash,
                "DCMP_PUBLIC_URL" => "https://api.example.org/",
                _ => return None,
            };
            Some(value.to_owned())
        })
    }

    #[test]
    fn a_whole_environment_is_read() {
        let environment = read("", None).ok().filter(|environment| environment.own_device);
        let settings = environment.map(|environment| environment.settings);
        let url = settings.and_then(|settings| settings.public_url);
        assert_eq!(url.as_deref(), Some("https://api.example.org"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let names =
            ["_HANDLER", "DCMP_STAGE", "DCMP_OWN_DEVICE", "DCMP_ADMIN_KEY_HASH", "DCMP_PUBLIC_URL"];
        for name in names {
            for value in [None, Some("")] {
                let error = read(name, value).err().map(|error| error.to_string());
                assert!(error.is_some_and(|error| error.contains(name)), "{name} as {value:?}");
            }
        }
        for (name, value) in [
            ("DCMP_OWN_DEVICE", "yes"),
            ("DCMP_ADMIN_KEY_HASH", "the key itself"),
            ("DCMP_PUBLIC_URL", "api.example.org"),
        ] {
            let error = read(name, Some(value)).err().map(|error| error.to_string());
            assert!(
                error.is_some_and(|error| error.contains(name) && !error.contains("itself")),
                "{name} as {value}"
            );
        }
    }
}
