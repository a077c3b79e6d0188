//! The only place that writes to a cluster.

use http::{Method, Request, header};
use kube::client::Body;
use serde_json::Value;

use crate::cluster::api::{Api, ApiError, chain, status_message};

/// Writes to an API server. Nothing is tried twice: who calls comes again.
pub struct Pen {
    api: Api,
}

impl Pen {
    /// Writes through a connection.
    pub fn new(api: Api) -> Self {
        Pen { api }
    }

    /// Reads an object; none if it is not there.
    pub async fn read(&self, path: &str) -> Result<Option<Value>, ApiError> {
        match self.send(Method::GET, "get", path, "application/json", None).await {
            Ok(body) => Ok(Some(body)),
            Err(ApiError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates an object in a collection.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        self.send(Method::POST, "create", path, "application/json", Some(object)).await
    }

    /// Replaces an object, if it still has the version that the new one names.
    pub async fn replace(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        self.send(Method::PUT, "update", path, "application/json", Some(object)).await
    }

    /// Makes an object what is said, by server-side apply.
    pub async fn apply(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        let path = format!("{path}?fieldManager=tenantry-drift&force=true");
        self.send(Method::PATCH, "patch", &path, "application/apply-patch+yaml", Some(object)).await
    }

    async fn send(
        &self,
        method: Method,
        verb: &'static str,
        path: &str,
        content: &str,
        object: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let body = object.map(ToString::to_string).unwrap_or_default();
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::ACCEPT, "application/json").header(header::CONTENT_TYPE, content);
        let request = request.body(Body::from(body.into_bytes()));
        let request = request.map_err(|error| ApiError::Status(0, error.to_string()))?;
        let client = self.api.client();
        let exchange = async {
            let (parts, body) = client.send(request).await?.into_parts();
            Ok::<_, kube::Error>((parts.status.as_u16(), body.collect_bytes().await?))
        };
        let limit = self.api.limits().request_timeout;
        let (status, body) = match tokio::time::timeout(limit, exchange).await {
            Ok(Ok(answer)) => answer,
            failed => {
                self.api.count(verb, 0);
                let reason = match failed {
                    Ok(Err(error)) => chain(&error),
                    _ => format!("no answer within {limit:?}"),
                };
                return Err(ApiError::Unavailable(reason));
            }
        };
        self.api.count(verb, status);
        match status {
            200..=299 => serde_json::from_slice(&body).map_err(|error| ApiError::Unavailable(error.to_string())),
            401 => Err(ApiError::Unauthorized(status_message(&body))),
            403 => Err(ApiError::Refused(status_message(&body))),
            404 => Err(ApiError::NotFound),
            code => Err(ApiError::Status(code, status_message(&body))),
        }
    }
}
