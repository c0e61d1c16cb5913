//! What a device says about itself when it is asked.

use protocol::socket::{Drain, Fault, LogFilter, LogLevel, Logs, LogsPull};

use crate::support::*;

#[tokio::test]
async fn a_device_tells_its_owner_what_happened() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let device = Running::start(platform.config(dir.path()));
    let (mut connection, _) = platform.welcome().await;
    let fault = Fault { code: "X".to_owned(), message: format!("{KEY} is my key") };
    connection.say(&fault).await;
    let pull = |lines, level| LogsPull { request_id: "logs_1".to_owned(), lines, level };
    connection.say(&pull(10, LogFilter::All)).await;
    let logs: Logs = connection.hear("logs").await;
    assert_eq!((logs.request_id.as_str(), logs.part, logs.more), ("logs_1", 0, false));
    let lines: Vec<_> = logs.lines.iter().map(|line| (line.level, line.message.as_str())).collect();
    let complaint = (LogLevel::Warn, "the platform complains: … is my key (X)");
    assert_eq!(lines, [(LogLevel::Info, "connected as dev_1"), complaint]);
    connection.say(&pull(10, LogFilter::From(LogLevel::Warn))).await;
    assert_eq!(connection.hear::<Logs>("logs").await.lines, logs.lines[1..]);
    connection.say(&pull(1, LogFilter::All)).await;
    assert_eq!(connection.hear::<Logs>("logs").await.lines, logs.lines[1..]);
    connection.say(&Drain { reason: "enough".to_owned() }).await;
    device.ended().await.unwrap();
}
