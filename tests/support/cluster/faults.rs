//! A proxy before an API server that breaks things on purpose: plain HTTP on loopback in front, the real server behind.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this status, and with `Retry-After` seconds if given.
    Status(u16, Option<u32>),
    /// The connection is closed without an answer.
    Reset,
    /// Half of the answer is sent, then the connection is closed.
    Cut,
    /// The answer is no JSON.
    Garbage,
    /// It is answered after a while.
    Slow(Duration),
    /// It is never answered.
    Hang,
}

/// Which requests break, and how.
#[derive(Debug, Clone)]
pub struct Rule {
    /// A part of the path and query.
    pub path: &'static str,
    /// How.
    pub fault: Fault,
    /// Matching requests that pass before the first breaks.
    pub after: usize,
    /// How many break; all if none.
    pub times: Option<usize>,
}

impl Rule {
    /// Every request whose path holds a text.
    pub fn always(path: &'static str, fault: Fault) -> Self {
        Rule { path, fault, after: 0, times: None }
    }
}

/// The proxy; it ends when dropped.
pub struct FaultProxy {
    address: SocketAddr,
    broken: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// Starts it; requests go on to the server with the client's credentials.
    pub async fn start(client: Client, rules: Vec<Rule>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let broken = Arc::new(AtomicUsize::new(0));
        let rules: Arc<Vec<(Rule, AtomicUsize)>> =
            Arc::new(rules.into_iter().map(|rule| (rule, AtomicUsize::new(0))).collect());
        let count = Arc::clone(&broken);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, client.clone(), Arc::clone(&rules), Arc::clone(&count)));
            }
        });
        FaultProxy { address, broken, task }
    }

    /// A client of the proxy.
    pub fn client(&self) -> Client {
        let mut config = kube::Config::new(format!("http://{}", self.address).parse().expect("an address"));
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    }

    /// A kubeconfig of the proxy.
    pub fn kubeconfig(&self) -> String {
        serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "proxy", "user": {}}],
        })
        .to_string()
    }

    /// How many requests broke.
    pub fn broken(&self) -> usize {
        self.broken.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one request; the connection is not used again.
async fn serve(mut stream: TcpStream, client: Client, rules: Arc<Vec<(Rule, AtomicUsize)>>, broken: Arc<AtomicUsize>) {
    let Some((path, accept)) = read_head(&mut stream).await else { return };
    let fault = rules.iter().find_map(|(rule, seen)| {
        if !path.contains(rule.path) {
            return None;
        }
        let number = seen.fetch_add(1, Ordering::SeqCst);
        let breaks = number >= rule.after && rule.times.is_none_or(|times| number < rule.after + times);
        breaks.then_some(rule.fault)
    });
    if fault.is_some() {
        broken.fetch_add(1, Ordering::SeqCst);
    }
    match fault {
        Some(Fault::Reset) => return,
        Some(Fault::Hang) => return tokio::time::sleep(Duration::from_secs(600)).await,
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        Some(Fault::Status(code, retry_after)) => {
            let body = format!(
                r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected {code}","code":{code}}}"#
            );
            return answer(&mut stream, code, retry_after, body.as_bytes(), body.len()).await;
        }
        Some(Fault::Garbage) => {
            let body = b"<html>please log in</html>";
            return answer(&mut stream, 200, None, body, body.len()).await;
        }
        Some(Fault::Cut) | None => {}
    }
    let request =
        http::Request::get(&path).header("accept", accept).body(kube::client::Body::empty()).expect("a request");
    let Ok(response) = client.send(request).await else { return };
    let status = response.status().as_u16();
    if path.contains("watch=true") && status == 200 {
        return relay(&mut stream, response.into_body(), fault == Some(Fault::Cut)).await;
    }
    let Ok(body) = response.into_body().collect_bytes().await else { return };
    let sent = if fault == Some(Fault::Cut) { &body[..body.len() / 2] } else { &body[..] };
    answer(&mut stream, status, None, sent, body.len()).await;
}

/// Hands the events of a watch on as they come; of one that is cut, the first few bytes.
async fn relay(stream: &mut TcpStream, mut body: kube::client::Body, cut: bool) {
    use http_body_util::BodyExt as _;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    let mut going = stream.write_all(head.as_bytes()).await.is_ok();
    while let (true, Some(Ok(frame))) = (going, body.frame().await) {
        let Ok(data) = frame.into_data() else { continue };
        let sent = if cut { &data[..data.len() / 2] } else { &data[..] };
        going = stream.write_all(sent).await.is_ok() && !cut;
    }
    let _ = stream.shutdown().await;
}

/// The path and the `Accept` header of a request without a body.
async fn read_head(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 || head.len() > 65_536 {
            return None;
        }
        head.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8_lossy(&head);
    let path = text.split_whitespace().nth(1)?.to_owned();
    let accept = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("accept").then(|| value.trim().to_owned())
    });
    Some((path, accept.unwrap_or_else(|| "application/json".to_owned())))
}

async fn answer(stream: &mut TcpStream, status: u16, retry_after: Option<u32>, body: &[u8], length: usize) {
    let retry_after = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{retry_after}Connection: close\r\n\r\n"
    );
    // A client that went away needs no answer.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    let _ = stream.shutdown().await;
}
