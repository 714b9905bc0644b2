//! Running the self-check where a crash does no harm.
//!
//! The parent starts its own program as `device check NAME` and waits for one line of JSON, for a limited time. The child says all it can find out; if it dies
//! without a word, how it died is the answer.

use std::{
    io::{BufRead, BufReader, Read},
    panic,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use vitrine_core::device::{Kind, adapter_name, check};
use vitrine_screenshot::model::device::check as screenshots;

use super::{Name, Problem, Verdict, Work};

/// A check takes a second or a few on a GPU; a software driver on a busy machine takes minutes, as it compiles every shader on the CPU.
const LIMIT: Duration = Duration::from_mins(5);
/// The check asks for right numbers, not for the fastest kernel of each shape, which takes much longer to find than to run.
const AUTOTUNE: &str = "CUBECL_AUTOTUNE_LEVEL";
/// What is read of a child's output, in bytes.
const OUTPUT_LIMIT: u64 = 1 << 20;

/// The verdict on a device: the CPU's here, a GPU's from a child process.
pub fn check(name: Name, work: Work) -> Verdict {
    if !name.kind.is_compiled() {
        return Verdict::of(Problem::NotCompiled { feature: name.kind.name().to_owned() });
    }
    if name.kind == Kind::Cpu {
        return check_here(name, work);
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return Verdict::of(Problem::NotStarted { message: error.to_string() }),
    };
    let mut command = Command::new(program);
    command.args(["device", "check", &name.to_string()]);
    if work == Work::Screenshots {
        command.arg("--screenshots");
    }
    if std::env::var_os(AUTOTUNE).is_none() {
        command.env(AUTOTUNE, "minimal");
    }
    ask(&mut command, LIMIT)
}

/// Runs `command` and reads its verdict; a crash, a hang or nonsense becomes one.
fn ask(command: &mut Command, limit: Duration) -> Verdict {
    // What drivers write to standard error is theirs; the verdict has what matters.
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Verdict::of(Problem::NotStarted { message: error.to_string() }),
    };
    let (tell, told) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        thread::spawn(move || {
            // Drivers may talk here too; the verdict is the line that is one.
            let mut lines = BufReader::new(out.take(OUTPUT_LIMIT)).lines().map_while(Result::ok);
            let _ = tell.send(lines.find_map(|line| serde_json::from_str::<Verdict>(&line).ok()));
        });
    }
    let said = told.recv_timeout(limit);
    // It has said what it can: how it would go on to end does not matter, and some drivers hang there. Where it died by itself its exit status
    // stays what it was.
    let _ = child.kill();
    let ended = child.wait();
    match said {
        Ok(Some(verdict)) => verdict,
        Ok(None) => Verdict::of(Problem::Crashed { how: ended.map_or_else(|error| error.to_string(), how_it_ended) }),
        Err(_) => Verdict::of(Problem::Hung { seconds: limit.as_secs() }),
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => "illegal instruction, ",
            6 => "abort, ",
            7 | 10 => "bus error, ",
            8 => "arithmetic error, ",
            11 => "segmentation fault, ",
            _ => "",
        };
        return format!("{name}signal {signal}");
    }
    status.code().map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}"))
}

/// The self-check in this process. A panic of the backend is caught; worse is not.
pub fn check_here(name: Name, work: Work) -> Verdict {
    if !name.kind.is_compiled() {
        return Verdict::of(Problem::NotCompiled { feature: name.kind.name().to_owned() });
    }
    let mut verdict = Verdict { compiled: true, devices: 0, adapter: None, software: false, difference: None, problem: None };
    if let Err(message) = quietly(|| examine(name, work, &mut verdict)) {
        verdict.problem = Some(Problem::Failed { message });
    }
    verdict
}

fn examine(name: Name, work: Work, verdict: &mut Verdict) {
    let adapters = name.kind.adapters();
    verdict.devices = adapters.len();
    let Some(adapter) = adapters.get(name.index) else {
        verdict.problem = Some(if adapters.is_empty() { Problem::NoDriver } else { Problem::NoSuchDevice { devices: adapters.len() } });
        return;
    };
    verdict.software = adapter.software;
    verdict.adapter = adapter_name(&adapter.device);
    if name.kind == Kind::Cuda
        && let Some(problem) = missing_libdevice()
    {
        return verdict.problem = Some(problem);
    }
    match (numbers(&burn::tensor::Device::flex(), work), numbers(&adapter.device, work)) {
        (Ok(expected), Ok(found)) => judge(&expected, &found, verdict),
        (Err(message), _) | (_, Err(message)) => verdict.problem = Some(Problem::Failed { message: first_line(&message) }),
    }
}

/// Compares the parts of the check; the worst one decides.
fn judge(expected: &[Numbers], found: &[Numbers], verdict: &mut Verdict) {
    let parts = expected.iter().zip(found).map(|((part, expected), (_, found))| (*part, check::difference(found, expected)));
    let Some((part, difference)) = parts.max_by(|a, b| a.1.total_cmp(&b.1)) else {
        verdict.problem = Some(Problem::Failed { message: "nothing was computed".into() });
        return;
    };
    // JSON has no infinity.
    verdict.difference = difference.is_finite().then_some(difference);
    if difference > check::TOLERANCE {
        verdict.problem = Some(Problem::WrongNumbers { part: part.to_owned(), difference: verdict.difference });
    }
}

/// A part of the check by name.
type Numbers = (&'static str, Vec<f32>);

fn numbers(device: &burn::tensor::Device, work: Work) -> Result<Vec<Numbers>, String> {
    let mut parts: Vec<check::Part> = check::compute(device).map_err(|e| e.to_string())?.into();
    if work == Work::Screenshots {
        parts.extend(screenshots::compute(device));
    }
    let read = |part: check::Part| {
        let data = part.values.try_into_data().map_err(|e| e.to_string())?;
        Ok((part.name, data.try_into_vec::<f32>().map_err(|e| format!("{e:?}"))?))
    };
    parts.into_iter().map(read).collect()
}

/// Runs `body` and turns a panic, of whichever thread, into its first line.
fn quietly<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    let first = Arc::new(Mutex::new(None::<String>));
    let keep = Arc::clone(&first);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let message = info.payload_as_str().map_or_else(|| info.to_string(), str::to_owned);
        keep.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
    }));
    let done = panic::catch_unwind(panic::AssertUnwindSafe(body));
    panic::set_hook(before);
    done.map_err(|_| first_line(first.lock().unwrap_or_else(PoisonError::into_inner).as_deref().unwrap_or("it panicked without a word")))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().chars().take(300).collect()
}

/// Where burn's CUDA backend takes `exp`, `tanh` and the like from: the same places in the same order.
fn missing_libdevice() -> Option<Problem> {
    const INSIDE: &str = "nvvm/libdevice/libdevice.10.bc";
    let roots = match std::env::var_os("CUDA_PATH") {
        Some(path) => vec![PathBuf::from(path)],
        None => ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda", "/usr"].map(PathBuf::from).into(),
    };
    if roots.iter().any(|root| root.join(INSIDE).is_file()) {
        return None;
    }
    let looked_in = roots.iter().map(|root| root.display().to_string()).collect::<Vec<_>>().join(", ");
    Some(Problem::NoLibdevice { looked_in })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Verdict {
        ask(Command::new("sh").args(["-c", script]), limit)
    }

    #[test]
    fn a_crash_a_hang_and_silence_become_verdicts() {
        let long = Duration::from_mins(1);
        let crash = shell("kill -SEGV $$", long).problem.unwrap().to_string();
        assert_eq!(crash, "the driver crashed in the self-check (segmentation fault, signal 11)");
        let hung = shell("exec sleep 1000", Duration::from_millis(50)).problem.unwrap();
        assert_eq!(hung, Problem::Hung { seconds: 0 });
        for (script, code) in [("exit 3", 3), ("echo nonsense; exit 3", 3), ("exit 0", 0)] {
            assert_eq!(shell(script, long).problem.unwrap(), Problem::Crashed { how: format!("exit code {code}") });
        }
    }

    #[test]
    fn a_verdict_counts_even_if_the_process_never_ends() {
        let verdict = Verdict { difference: Some(0.5), ..check_here(Name { kind: Kind::Cpu, index: 0 }, Work::Models) };
        let script = format!("echo a driver talks; echo '{}'; exec sleep 1000", serde_json::to_string(&verdict).unwrap());
        assert_eq!(shell(&script, Duration::from_mins(1)), verdict);
    }

    #[test]
    fn a_program_that_is_not_there_is_said() {
        let problem = ask(&mut Command::new("/no/such/program"), LIMIT).problem.unwrap();
        assert!(matches!(problem, Problem::NotStarted { .. }), "{problem:?}");
    }

    #[test]
    fn a_panic_becomes_its_first_line() {
        let done: Result<(), String> = quietly(|| panic!("no adapter\nbacktrace"));
        assert_eq!(done, Err("no adapter".into()));
        let elsewhere: Result<(), String> =
            quietly(|| thread::spawn(|| panic!("the cause")).join().map_err(|_| ()).expect("the consequence"));
        assert_eq!(elsewhere, Err("the cause".into()));
    }

    #[test]
    fn one_wrong_number_is_enough_to_be_refused() {
        let expected = numbers(&burn::tensor::Device::flex(), Work::Models).unwrap();
        let judged = |part: usize, at: usize, value: f32| {
            let mut found = expected.clone();
            found[part].1[at] = value;
            let mut verdict = check_here(Name { kind: Kind::Cpu, index: 0 }, Work::Models);
            judge(&expected, &found, &mut verdict);
            verdict
        };
        for (part, name) in [(0, "outputs"), (1, "mask gradients")] {
            let value = expected[part].1[3];
            assert!(judged(part, 3, value).works());
            let wrong = judged(part, 3, value + 10.0).problem.unwrap().to_string();
            assert!(wrong.starts_with("wrong results: largest difference") && wrong.contains(name), "{wrong}");
            let none = judged(part, 3, f32::NAN).problem.unwrap();
            assert_eq!(none, Problem::WrongNumbers { part: name.into(), difference: None });
        }
    }

    #[test]
    fn the_cpu_agrees_with_itself() {
        let verdict = check_here(Name { kind: Kind::Cpu, index: 0 }, Work::Models);
        assert!(verdict.works() && verdict.difference == Some(0.0), "{verdict:?}");
    }
}
