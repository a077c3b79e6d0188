//! What programs that were run have taken of the processors.

use std::fs;
use std::time::Duration;

/// Time of all processors, in programs that have ended and in the kernel for them: `cutime` and `cstime` of proc(5), in
/// ticks of a hundredth of a second.
pub fn of_children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit_once(')').expect("proc(5)").1.split_whitespace().skip(13).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(10 * ticks)
}
