/**
 * The Kubernetes indexed job of a plan, as text. Only a dry run prints it; nothing here talks to a cluster, and it has
 * not been tested on one.
 */
import path from 'node:path';
import type { PlanFile } from './jobFolder.js';

const inside = (folder: string, of: string): boolean => !path.relative(of, folder).startsWith('..');

/** @param folder the plan's folder, on a volume that every pod mounts at the same path */
export function manifest(folder: string, { plan, notebookFolder }: PlanFile, artifactFolder: string): string {
  const name = `fgnb-${plan.id.slice(0, 8)}`;
  const memory = `${Math.ceil(plan.memory / 2 ** 20) + 1024}Mi`;
  const text = (value: string): string => JSON.stringify(value);
  return `# Untested: written for Kubernetes 1.24 and later. IMAGE holds Node 20 and this package; CLAIM is a volume that
# holds the notebook's folder and the artifact folder, mounted where they are on this machine.
apiVersion: batch/v1
kind: Job
metadata:
  name: ${name}
spec:
  completionMode: Indexed
  completions: ${plan.shards.length}
  parallelism: ${plan.shards.length}
  backoffLimit: ${2 * plan.shards.length}
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 60
      containers:
        - name: shard
          image: IMAGE
          workingDir: ${text(notebookFolder)}
          command: [sh, -c, ${text(`exec fgnb task '${folder.replaceAll("'", `'\\''`)}' --shard "$JOB_COMPLETION_INDEX" --device cpu`)}]
          resources:
            requests: { memory: ${memory}, cpu: "1" }
          volumeMounts:
            - { name: work, mountPath: ${text(notebookFolder)} }
${inside(artifactFolder, notebookFolder) ? '' : `            - { name: artifacts, mountPath: ${text(artifactFolder)} }\n`}      volumes:
        - name: work
          persistentVolumeClaim: { claimName: CLAIM }
${inside(artifactFolder, notebookFolder) ? '' : '        - name: artifacts\n          persistentVolumeClaim: { claimName: CLAIM_OF_ARTIFACTS }\n'}# When it is complete: fgnb task ${text(folder)} --merge
`;
}
