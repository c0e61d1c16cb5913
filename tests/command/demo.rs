//! `dcmp demo`

use std::{fs::File, path::Path};

use serde_json::Value;

use crate::{
    shell::Shell,
    support::{Process, eventually},
};

fn left_behind(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn it_shows_it_all_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let shell = Shell::new().with("TMPDIR", temporary.path().to_str().unwrap());
    let said = shell.run(&["demo"]).ended(0).told(&["20 of 20 images answered"]);
    let rows: Vec<&str> = said.out.lines().collect();
    assert_eq!(rows.len(), 21, "{said:?}");
    assert!(rows[0].contains("prediction") && rows[1].contains("demo-device"), "{said:?}");
    let document = shell.json(&["demo", "--json"]);
    assert_eq!(document["images"].as_array().unwrap().len(), 20);
    assert_eq!(document["summary"]["answered"], 20);
    assert_eq!(left_behind(temporary.path()), Vec::<String>::new());
    assert_eq!(left_behind(shell.home()), Vec::<String>::new());
}

#[tokio::test]
async fn kept_it_runs_until_ctrl_c() {
    let temporary = tempfile::tempdir().unwrap();
    let shell = Shell::new().with("TMPDIR", temporary.path().to_str().unwrap());
    let out = shell.home().join("out");
    let mut command = shell.command(&["demo", "--keep", "--json"]);
    let mut demo = Process::spawn(command.stdout(File::create(&out).unwrap()));
    let said = eventually("the invitation", || async {
        Some(demo.said()).filter(|said| said.contains("Ctrl-C ends it all"))
    })
    .await;
    let line = said.lines().find_map(|line| line.trim().strip_prefix("export ")).unwrap();
    let value = |name: &str| {
        let values = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        values.unwrap().to_owned()
    };
    let guest = Shell::new()
        .with("DCMP_URL", &value("DCMP_URL"))
        .with("DCMP_API_KEY", &value("DCMP_API_KEY"));
    let list = guest.run(&["devices"]).ended(0);
    assert!(list.out.contains("demo-device"), "{list:?}");
    demo.signal(2);
    assert_eq!(demo.code(), Some(0), "{}", demo.said());
    guest.run(&["devices"]).refused(1, &["no platform at"]);
    let document: Value = serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap();
    assert_eq!(document["summary"]["answered"], 20);
    assert_eq!(left_behind(temporary.path()), Vec::<String>::new());
}

#[tokio::test]
async fn interrupted_it_tidies_up_and_is_130() {
    let temporary = tempfile::tempdir().unwrap();
    let shell = Shell::new().with("TMPDIR", temporary.path().to_str().unwrap());
    let out = shell.home().join("out");
    let mut command = shell.command(&["demo"]);
    let mut demo = Process::spawn(command.stdout(File::create(&out).unwrap()));
    eventually("its first step", || async { demo.said().contains("1  ").then_some(()) }).await;
    demo.signal(2);
    // quick as it is, it may be done by then
    let code = demo.code();
    assert!(code == Some(130) || demo.said().contains("images answered"), "{}", demo.said());
    assert_eq!(left_behind(temporary.path()), Vec::<String>::new());
}
