const EXPORTS = [
  'java.base/jdk.internal.misc',
  'java.base/jdk.internal.ref',
  'java.base/sun.nio.ch',
  'java.management.rmi/com.sun.jmx.remote.internal.rmi',
  // the JMX password file is read by an inner class of the JDK
  'java.management/com.sun.jmx.remote.security',
  'java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server',
  'java.sql/java.sql',
  'java.base/java.lang.ref',
  'jdk.unsupported/sun.misc',
  'jdk.attach/sun.tools.attach',
];

const OPENS = [
  'java.base/java.io',
  'java.base/java.lang',
  'java.base/java.lang.module',
  'java.base/java.lang.reflect',
  'java.base/java.nio',
  'java.base/java.util',
  'java.base/java.util.concurrent',
  'java.base/java.util.concurrent.atomic',
  'java.base/jdk.internal.loader',
  'java.base/jdk.internal.math',
  'java.base/jdk.internal.module',
  'java.base/jdk.internal.ref',
  'java.base/jdk.internal.reflect',
  'java.base/jdk.internal.util.jar',
  'java.base/sun.nio.ch',
  'java.rmi/sun.rmi.transport.tcp',
  'jdk.management/com.sun.management.internal',
];

/** The module access that Cassandra needs on Java 17. */
export function cassandraModuleOptions(): string[] {
  return [...EXPORTS.map((m) => `--add-exports=${m}=ALL-UNNAMED`), ...OPENS.map((m) => `--add-opens=${m}=ALL-UNNAMED`)];
}

/** Options of every JVM of the lab: nothing in the shared folder for temporary files, no window system. */
export function commonJavaOptions(heapMiB: number, temporary: string): string[] {
  return [
    `-Xms${heapMiB}m`,
    `-Xmx${heapMiB}m`,
    '-XX:-UsePerfData',
    // short-lived servers on few cores: the optimising compiler and parallel collectors took half of a boot's CPU time
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Djava.awt.headless=true',
    `-Djava.io.tmpdir=${temporary}`,
    // JNA unpacks its library below the user's home otherwise
    `-Djna.tmpdir=${temporary}`,
  ];
}
