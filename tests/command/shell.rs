//! A shell in which `dcmp` runs: a home of its own, and no variables but those that a test gives.

use std::{
    fmt,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::support::{DCMP, Platform, fixture};

pub struct Shell {
    home: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    /// On a machine where nothing was started.
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// On the machine of a platform, which left its address and its keys.
    pub fn of(platform: &Platform) -> Self {
        Self::new().with("DCMP_DATA", platform.data.to_str().unwrap())
    }

    pub fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.push((variable, value.to_owned()));
        self
    }

    /// The folder in which commands run.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file into the home.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Puts a fixture into the home, under its own name.
    pub fn fixture(&self, name: &str) -> PathBuf {
        self.file(name, fixture(name))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(DCMP);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        Said::new(arguments, self.command(arguments).output().unwrap())
    }

    /// With this on standard input.
    pub fn pipe(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Said::new(arguments, child.wait_with_output().unwrap())
    }

    /// A document, from a command that succeeds.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).ended(0).json()
    }
}

/// What a command said and how it ended.
pub struct Said {
    command: String,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, code, out, err } = self;
        write!(f, "`dcmp {command}` ended with {code:?}\n--- out\n{out}\n--- err\n{err}")
    }
}

impl Said {
    fn new(arguments: &[&str], output: Output) -> Self {
        Self {
            command: arguments.join(" "),
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It ended with this code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// It ended with this code and printed nothing but a sentence for people, with all these words.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) {
        let said = self.ended(code);
        assert_eq!(said.out, "", "{said:?}");
        said.told(words);
    }

    /// It told people all these words.
    #[track_caller]
    pub fn told(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "no `{word}` in {self:?}");
        }
        self
    }

    /// The one document that it printed, on one line.
    #[track_caller]
    pub fn json(&self) -> Value {
        let document = serde_json::from_str(&self.out);
        let document = document.unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"));
        assert_eq!(self.out.matches('\n').count(), 1, "{self:?}");
        document
    }

    /// The value behind a name, where each line is one field.
    #[track_caller]
    pub fn field(&self, name: &str) -> &str {
        let line = self.out.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no `{name}` in {self:?}")).trim()
    }
}
