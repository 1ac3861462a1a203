import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.config.ParameterizedClass;
import org.apache.cassandra.db.DeletionTime;
import org.apache.cassandra.db.Mutation;
import org.apache.cassandra.db.commitlog.CommitLog;
import org.apache.cassandra.db.commitlog.CommitLogDescriptor;
import org.apache.cassandra.db.commitlog.CommitLogReadHandler;
import org.apache.cassandra.db.commitlog.CommitLogReader;
import org.apache.cassandra.db.partitions.PartitionUpdate;
import org.apache.cassandra.db.rows.Cell;
import org.apache.cassandra.db.rows.ColumnData;
import org.apache.cassandra.db.rows.ComplexColumnData;
import org.apache.cassandra.db.rows.RangeTombstoneMarker;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.db.rows.Unfiltered;
import org.apache.cassandra.db.rows.UnfilteredRowIterator;
import org.apache.cassandra.io.util.File;
import org.apache.cassandra.schema.Schema;
import org.apache.cassandra.utils.ByteBufferUtil;

/**
 * What Cassandra itself makes of commit log segments: the other side of the comparison with skep's reader.
 * Arguments: the folder of the segments, a folder for the answers, how many mutations go into a sync section, and the
 * ways in which Cassandra shall write the same mutations again ("none" or the name of a compressor). Leaves
 * `source.lines`, and for each way a folder of segments and its lines. The schema comes from the data folder of the node whose configuration is on the class path.
 *
 * A line is: segment, position, size, table:key of every update, newest timestamp.
 */
public class CommitLogOracle
{
    public static void main(String[] args) throws Exception
    {
        Path source = Paths.get(args[0]);
        Path answers = Files.createDirectories(Paths.get(args[1]));
        DatabaseDescriptor.toolInitialization();
        Path writing = Files.createDirectories(answers.resolve("writing"));
        DatabaseDescriptor.setCommitLogLocation(writing.toString());
        Schema.instance.loadFromDisk();

        List<Mutation> mutations = new ArrayList<>();
        read(source, answers.resolve("source.lines"), mutations::add);
        int section = Integer.parseInt(args[2]);
        for (int i = 3; i < args.length; i++)
        {
            write(args[i], mutations, section);
            Path folder = Files.createDirectories(answers.resolve(args[i]));
            for (Path file : segments(writing))
                Files.move(file, folder.resolve(file.getFileName()));
            read(folder, answers.resolve(args[i] + ".lines"), m -> {});
        }
        System.exit(0);
    }

    private static void write(String way, List<Mutation> mutations, int section) throws Exception
    {
        DatabaseDescriptor.setCommitLogCompression(way.equals("none") ? null : new ParameterizedClass(way, Collections.emptyMap()));
        CommitLog.instance.resetConfiguration();
        CommitLog.instance.start();
        for (int i = 0; i < mutations.size(); i++)
        {
            CommitLog.instance.add(mutations.get(i));
            if (i % section == section - 1)
                CommitLog.instance.sync(true);
        }
        CommitLog.instance.sync(true);
        CommitLog.instance.stopUnsafe(false);
    }

    private static List<Path> segments(Path folder) throws IOException
    {
        try (Stream<Path> files = Files.list(folder))
        {
            return files.filter(f -> f.getFileName().toString().startsWith("CommitLog-")).sorted().collect(Collectors.toList());
        }
    }

    private static void read(Path folder, Path lines, Consumer<Mutation> each) throws IOException
    {
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(lines)))
        {
            for (Path file : segments(folder))
                new CommitLogReader().readCommitLogSegment(new Printer(file, out, each), new File(file), true);
        }
    }

    private static final class Printer implements CommitLogReadHandler
    {
        private final Path file;
        private final PrintWriter out;
        private final Consumer<Mutation> each;

        Printer(Path file, PrintWriter out, Consumer<Mutation> each)
        {
            this.file = file;
            this.out = out;
            this.each = each;
        }

        @Override
        public boolean shouldSkipSegmentOnError(CommitLogReadException e) throws IOException
        {
            throw e;
        }

        @Override
        public void handleUnrecoverableError(CommitLogReadException e) throws IOException
        {
            throw e;
        }

        @Override
        public void handleMutation(Mutation mutation, int size, int position, CommitLogDescriptor descriptor)
        {
            Newest newest = new Newest();
            List<String> updates = new ArrayList<>();
            for (PartitionUpdate update : mutation.getPartitionUpdates())
            {
                ByteBuffer key = update.partitionKey().getKey();
                updates.add(update.metadata().id + ":" + ByteBufferUtil.bytesToHex(key));
                walk(update, newest);
            }
            String stamp = newest.found ? Long.toString(newest.value) : "none";
            out.printf("%s %d %d %s %s%n", file.getFileName(), position, size, String.join(",", updates), stamp);
            each.accept(mutation);
        }
    }

    private static void walk(PartitionUpdate update, Newest newest)
    {
        try (UnfilteredRowIterator rows = update.unfilteredIterator())
        {
            newest.add(rows.partitionLevelDeletion());
            walk(rows.staticRow(), newest);
            while (rows.hasNext())
            {
                Unfiltered unfiltered = rows.next();
                if (unfiltered instanceof Row)
                {
                    walk((Row) unfiltered, newest);
                    continue;
                }
                RangeTombstoneMarker marker = (RangeTombstoneMarker) unfiltered;
                if (marker.isOpen(false))
                    newest.add(marker.openDeletionTime(false));
                if (marker.isClose(false))
                    newest.add(marker.closeDeletionTime(false));
            }
        }
    }

    private static void walk(Row row, Newest newest)
    {
        if (!row.primaryKeyLivenessInfo().isEmpty())
            newest.add(row.primaryKeyLivenessInfo().timestamp());
        newest.add(row.deletion().time());
        for (ColumnData data : row)
            if (data instanceof ComplexColumnData)
                newest.add(((ComplexColumnData) data).complexDeletion());
        for (Cell<?> cell : row.cells())
            newest.add(cell.timestamp());
    }

    private static final class Newest
    {
        boolean found;
        long value;

        void add(long timestamp)
        {
            value = found ? Math.max(value, timestamp) : timestamp;
            found = true;
        }

        void add(DeletionTime deletion)
        {
            if (!deletion.isLive())
                add(deletion.markedForDeleteAt());
        }
    }
}
