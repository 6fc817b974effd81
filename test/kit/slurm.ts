/** A real Slurm on this machine: one controller and two emulated nodes of one core, without systemd and cgroups. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const has = (command: string): boolean => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/** Why there can be none here; undefined where there can. */
export function noSlurm(): string | undefined {
  if (os.platform() !== 'linux') return `Slurm runs on Linux, not on ${os.platform()}`;
  if (process.getuid?.() !== 0) return 'starting slurmctld, slurmd and munged needs root';
  const missing = ['slurmctld', 'slurmd', 'sbatch', 'munged'].filter((command) => !has(command));
  return missing.length === 0
    ? undefined
    : `${missing.join(', ')} are not installed: apt-get install slurmctld slurmd slurm-client munge`;
}

const wait = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** @throws with the ends of Slurm's logs when the nodes do not come up */
export class SlurmCluster {
  readonly env: Record<string, string>;
  private readonly host = os.hostname().split('.')[0];
  private readonly startedMunge: boolean;

  /** @param folder its own; deleted by nobody here */
  constructor(private readonly folder: string) {
    for (const name of ['state', 'spool/n1', 'spool/n2', 'log'])
      fs.mkdirSync(path.join(folder, name), { recursive: true });
    const conf = path.join(folder, 'slurm.conf');
    fs.writeFileSync(conf, this.conf());
    this.env = { SLURM_CONF: conf };
    this.startedMunge = startMunge();
    this.run('slurmctld', '-f', conf);
    for (const node of ['n1', 'n2']) this.startNode(node);
    for (let tries = 0; tries < 100; tries++, wait(200)) {
      const idle = spawnSync('sinfo', ['-h', '-t', 'idle', '-o', '%D'], { env: { ...process.env, ...this.env } });
      if (String(idle.stdout).trim() === '2') return;
    }
    const logs = fs.readdirSync(path.join(folder, 'log')).map((name) => {
      const lines = fs
        .readFileSync(path.join(folder, 'log', name), 'utf8')
        .trim()
        .split('\n');
      return `${name}: ${lines.slice(-4).join('\n')}`;
    });
    throw new Error(`Slurm did not start:\n${logs.join('\n')}`);
  }

  /** What a command of Slurm says. */
  run(command: string, ...args: string[]): string {
    return execFileSync(command, args, { encoding: 'utf8', env: { ...process.env, ...this.env } });
  }

  startNode(node: string): void {
    this.run('slurmd', '-f', this.env.SLURM_CONF, '-N', node);
  }

  /** Ends a node's daemon at once; its tasks go on without it. */
  killNode(node: string): void {
    process.kill(this.pidOf(node), 'SIGKILL');
  }

  /** The node is lost: its daemon, the keepers of its jobs and their processes end at once, and Slurm gives it up until startNode(). */
  loseNode(node: string): void {
    this.killNode(node);
    const jobs = this.run('squeue', '-h', '-w', node, '-t', 'RUNNING', '-o', '%A').trim().split(/\s+/);
    const keepers = jobs.map((job) => `slurmstepd: [${job}.batch]`);
    const processes = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const reads = (pid: string, file: string): string => {
      try {
        return fs.readFileSync(`/proc/${pid}/${file}`, 'utf8');
      } catch {
        // It has ended since.
        return '';
      }
    };
    const ofKeepers = processes.filter((pid) => keepers.some((keeper) => reads(pid, 'cmdline').startsWith(keeper)));
    const ofJobs = processes.filter((pid) => jobs.some((job) => reads(pid, 'environ').split('\0').includes(`SLURM_JOB_ID=${job}`))); // prettier-ignore
    // Keepers first: they would report how a job ended.
    for (const pid of new Set([...ofKeepers, ...ofJobs])) process.kill(Number(pid), 'SIGKILL');
    this.run('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=lost');
  }

  stop(): void {
    spawnSync('scancel', ['--state=PENDING'], { env: { ...process.env, ...this.env } });
    spawnSync('scancel', ['--state=RUNNING'], { env: { ...process.env, ...this.env } });
    for (const name of ['n1', 'n2', 'slurmctld'])
      try {
        process.kill(this.pidOf(name));
      } catch (error) {
        if (!['ESRCH', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    // One that ran before belongs to the machine.
    if (this.startedMunge) process.kill(Number(fs.readFileSync('/run/munge/munged.pid', 'utf8')));
  }

  private pidOf(name: string): number {
    return Number(fs.readFileSync(path.join(this.folder, `${name}.pid`), 'utf8'));
  }

  private conf(): string {
    const { folder, host } = this;
    return `ClusterName=fgnb
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=17817
SlurmUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool/%n
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/%n.pid
SlurmctldLogFile=${folder}/log/slurmctld.log
SlurmdLogFile=${folder}/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
ReturnToService=2
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
NodeName=n[1-2] NodeHostname=${host} NodeAddr=127.0.0.1 Port=[17821-17822] CPUs=1 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=60 State=UP
`;
  }
}

/** Starts the machine's munged where it does not run; whether it was started here. */
function startMunge(): boolean {
  for (const folder of ['/run/munge', '/var/lib/munge', '/var/log/munge']) {
    fs.mkdirSync(folder, { recursive: true });
    execFileSync('chown', ['munge:', folder]);
  }
  const key = '/etc/munge/munge.key';
  if (!fs.existsSync(key) || fs.statSync(key).size === 0) {
    execFileSync('sh', ['-c', `dd if=/dev/urandom of=${key} bs=1024 count=1 status=none`]);
    execFileSync('chown', ['munge:', key]);
    fs.chmodSync(key, 0o400);
  }
  if (spawnSync('munge', ['-n']).status === 0) return false;
  execFileSync('setpriv', ['--reuid=munge', '--regid=munge', '--clear-groups', 'munged']);
  return true;
}
