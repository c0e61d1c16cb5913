//! What the timer does about files that nobody completes.

use std::{sync::Arc, time::SystemTime};

use dcmp_service::models;

use crate::*;

#[tokio::test]
async fn an_abandoned_upload_is_removed() {
    let platform = Platform::start().await;
    let begun = begin(&platform, json!({})).await.unwrap();
    send(&platform, &begun, &[1]).await;
    platform.pass(IDLE - Duration::from_secs(60));
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_eq!(shown(&platform, &begun).await.status, "uploading");
    platform.pass(Duration::from_secs(120));
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn a_part_that_comes_keeps_an_upload() {
    let platform = Platform::start().await;
    let begun = begin(&platform, json!({})).await.unwrap();
    send(&platform, &begun, &[1]).await;
    // as if it had come an hour before the end
    let later = SystemTime::now() + IDLE - Duration::from_secs(3600);
    for file in platform.files() {
        std::fs::File::open(file).unwrap().set_modified(later).unwrap();
    }
    platform.pass(IDLE + Duration::from_secs(60));
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_eq!(
        (shown(&platform, &begun).await.status.as_str(), pending(&platform).await),
        ("uploading", 1)
    );
    platform.pass(IDLE);
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn an_abandoned_version_stays_on_record_as_rejected() {
    let platform = Platform::start().await;
    let id = platform.model().await;
    let version = json!({ "name": null, "version_of": id });
    let begun = begin(&platform, version.clone()).await.unwrap();
    send(&platform, &begun, &[1]).await;
    platform.pass(IDLE + Duration::from_secs(60));
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_eq!(statuses(&platform, &id).await, ["ready", "rejected"]);
    assert_eq!((shown(&platform, &begun).await.version, pending(&platform).await), (1, 0));
    assert_eq!(platform.files().len(), 1);
    // its number is not used again
    assert_eq!(begin(&platform, version).await.unwrap().version, 3);
}

#[tokio::test]
async fn an_upload_is_given_up_by_its_owner() {
    let platform = Platform::start().await;
    let begun = begin(&platform, json!({})).await.unwrap();
    send(&platform, &begun, &[1, 2]).await;
    let give_up = || uploads::give_up(&platform.app, &platform.customer, &begun.id);
    give_up().await.unwrap();
    assert_nothing_stays(&platform).await;
    assert!(matches!(give_up().await, Err(dcmp_service::Error::NotFound(_))));
}

/// A model without a ready version is more than its latest upload.
#[tokio::test]
async fn a_later_version_is_given_up_without_the_others() {
    let platform = Platform::start().await;
    let first = begin(&platform, json!({})).await.unwrap();
    let version = json!({ "name": null, "version_of": first.id });
    let second = begin(&platform, version.clone()).await.unwrap();
    uploads::give_up(&platform.app, &platform.customer, &reference(&second)).await.unwrap();
    assert_eq!(statuses(&platform, &first.id).await, ["uploading", "rejected"]);
    begin(&platform, version).await.unwrap();
    platform.pass(IDLE + Duration::from_secs(60));
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_eq!(statuses(&platform, &first.id).await, ["rejected", "rejected", "rejected"]);
    assert_eq!((pending(&platform).await, platform.files().len()), (0, 0));
}

#[tokio::test]
async fn an_upload_is_given_up_although_its_model_changes() {
    let platform = Arc::new(Platform::start().await);
    let begun = begin(&platform, json!({})).await.unwrap();
    let (other, id) = (platform.clone(), begun.id.clone());
    platform.disk.after_reading("U#", async move {
        change(&other, &id, json!({ "name": "other" })).await;
    });
    uploads::give_up(&platform.app, &platform.customer, &begun.id).await.unwrap();
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn a_model_is_deleted_with_its_upload() {
    let platform = Platform::start().await;
    let begun = begin(&platform, json!({})).await.unwrap();
    send(&platform, &begun, &[1]).await;
    models::delete(&platform.app, &platform.customer, &begun.id).await.unwrap();
    platform.fold().await;
    assert_eq!(platform.files().len(), 0);
    platform.pass(IDLE + Duration::from_secs(60));
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn files_of_a_deleted_model_are_removed_in_the_end() {
    let platform = Platform::start().await;
    let id = platform.model().await;
    platform.turn_files();
    models::delete(&platform.app, &platform.customer, &id).await.unwrap();
    platform.fold().await;
    let look = async || {
        platform.pass(Duration::from_secs(61));
        dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    };
    // not yet
    look().await;
    platform.turn_files();
    assert_eq!(platform.files().len(), 1);
    look().await;
    assert_nothing_stays(&platform).await;
}
