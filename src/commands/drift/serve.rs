//! What `drift --watch` serves: the report, metrics, and whether it may be relied on.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch::Receiver;

use crate::cluster::view::View;
use crate::cluster::watch::told;
use crate::commands::version;
use crate::report::{self, drift};
use crate::telemetry;

type Views = State<Receiver<Arc<View>>>;

/// Serves until `stop` says so; requests under way are answered.
///
/// # Errors
/// A socket that breaks.
pub async fn serve(listener: TcpListener, views: Receiver<Arc<View>>, mut stop: Receiver<bool>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/", get(html))
        .route("/report.json", get(json))
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(views);
    axum::serve(listener, router).with_graceful_shutdown(async move { told(&mut stop).await }).await
}

async fn html(State(views): Views) -> Response {
    let view = views.borrow().clone();
    match &view.document {
        Some(document) => answer("text/html; charset=utf-8", report::html(&drift::derived(document), version())),
        None => not_yet(&view),
    }
}

async fn json(State(views): Views) -> Response {
    let view = views.borrow().clone();
    match &view.document {
        Some(document) => answer("application/json", drift::json(document)),
        None => not_yet(&view),
    }
}

async fn metrics(State(views): Views) -> Response {
    let view = views.borrow().clone();
    answer(telemetry::METRICS_TYPE, telemetry::metrics(&view.facts))
}

async fn ready(State(views): Views) -> Response {
    let ready = views.borrow().ready.clone();
    let status = if ready.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, ready.text()).into_response()
}

/// There is no report before the cluster was read once; that is never an empty one.
fn not_yet(view: &View) -> Response {
    let text = format!("the cluster was not read yet\n{}", view.ready.text());
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

fn answer(kind: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
    ];
    (headers, body).into_response()
}
