//! S3: rustack, in memory. It checks every signature, presigned or not, and every checksum. Its service
//! and its HTTP layer come as two crates; what connects them is here, for the operations of the port.
//! So is one rule of S3 that it does not keep: an upload is of the key that it was begun for.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Response, request::Parts};
use rustack_s3_core::{RustackS3, S3Config, auth::RustackAuth, storage::StagedUpload};
use rustack_s3_http::{
    FromS3Request, IntoS3Response, RoutingContext, S3Handler, S3HttpConfig, S3HttpService,
    S3ResponseBody,
};
use rustack_s3_model::{
    S3Operation,
    error::{S3Error, S3ErrorCode},
    input::CreateBucketInput,
};

use super::http::Server;

/// A server with one empty bucket.
pub(crate) async fn serve(bucket: &str) -> Server {
    let s3 = RustackS3::new(S3Config::builder().s3_skip_signature_validation(false).build());
    let create = CreateBucketInput { bucket: bucket.to_owned(), ..CreateBucketInput::default() };
    s3.handle_create_bucket(create).await.unwrap();
    let config = S3HttpConfig {
        virtual_hosting: false,
        skip_signature_validation: false,
        credential_provider: Some(Arc::new(RustackAuth::new(false))),
        ..S3HttpConfig::default()
    };
    Server::service(S3HttpService::new(Bridge { s3: Arc::new(s3), keys: Arc::default() }, config))
        .await
}

struct Bridge {
    s3: Arc<RustackS3>,
    keys: Arc<Mutex<Keys>>,
}

/// The keys of uploads.
#[derive(Default)]
struct Keys(HashMap<String, Option<String>>);

impl Keys {
    /// Whether the request is not about an upload of another key than its own.
    fn check(&self, ctx: &RoutingContext) -> Result<(), S3Error> {
        let upload = ctx.query_params.iter().find(|(name, _)| name == "uploadId");
        match upload.and_then(|(_, upload)| self.0.get(upload)) {
            Some(key) if *key != ctx.key => {
                let said = "The specified multipart upload does not exist.";
                Err(S3Error::with_message(S3ErrorCode::NoSuchUpload, said))
            }
            _ => Ok(()),
        }
    }
}

type Answered = Result<Response<S3ResponseBody>, S3Error>;

type Answering = Pin<Box<dyn Future<Output = Answered> + Send>>;

fn input<T: FromS3Request>(parts: &Parts, body: Bytes, ctx: &RoutingContext) -> Result<T, S3Error> {
    T::from_s3_request(parts, ctx.bucket.as_deref(), ctx.key.as_deref(), &ctx.query_params, body)
}

impl S3Handler for Bridge {
    fn handle_staged_upload(
        &self,
        parts: Parts,
        upload: Arc<StagedUpload>,
        ctx: RoutingContext,
    ) -> Answering {
        let (s3, keys) = (self.s3.clone(), self.keys.clone());
        Box::pin(async move {
            keys.lock().unwrap().check(&ctx)?;
            let none = Bytes::new();
            match ctx.operation {
                S3Operation::UploadPart => {
                    let input = input(&parts, none, &ctx)?;
                    s3.handle_upload_part_staged(input, upload).await?.into_s3_response()
                }
                _ => {
                    let input = input(&parts, none, &ctx)?;
                    s3.handle_put_object_staged(input, upload).await?.into_s3_response()
                }
            }
        })
    }

    fn handle_operation(
        &self,
        op: S3Operation,
        parts: Parts,
        body: Bytes,
        ctx: RoutingContext,
    ) -> Answering {
        let (s3, keys) = (self.s3.clone(), self.keys.clone());
        Box::pin(async move {
            keys.lock().unwrap().check(&ctx)?;
            macro_rules! by {
                ($handle:ident) => {
                    s3.$handle(input(&parts, body, &ctx)?).await?.into_s3_response()
                };
            }
            match op {
                S3Operation::GetObject => by!(handle_get_object),
                S3Operation::HeadObject => by!(handle_head_object),
                S3Operation::DeleteObject => by!(handle_delete_object),
                S3Operation::CreateMultipartUpload => {
                    let begun =
                        s3.handle_create_multipart_upload(input(&parts, body, &ctx)?).await?;
                    keys.lock().unwrap().0.insert(begun.upload_id.clone().unwrap(), ctx.key);
                    begun.into_s3_response()
                }
                S3Operation::CompleteMultipartUpload => by!(handle_complete_multipart_upload),
                S3Operation::ListParts => by!(handle_list_parts),
                S3Operation::ListMultipartUploads => by!(handle_list_multipart_uploads),
                S3Operation::AbortMultipartUpload => {
                    s3.handle_abort_multipart_upload(input(&parts, body, &ctx)?).await?;
                    Ok(Response::builder().status(204).body(S3ResponseBody::empty()).unwrap())
                }
                _ => Err(S3Error::not_implemented(op.as_str())),
            }
        })
    }
}
